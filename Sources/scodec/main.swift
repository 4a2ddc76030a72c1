print("scodec")
