import Foundation

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// What an XML parser finds in a text.
final class Shape: NSObject, XMLParserDelegate {
    private(set) var isWellFormed = false
    /// How often each element occurs.
    private(set) var count: [String: Int] = [:]
    /// The text of elements that have any.
    private(set) var texts: Set<String> = []
    private var current = ""

    init(_ text: String) {
        super.init()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = self
        isWellFormed = parser.parse()
    }

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        count[element, default: 0] += 1
        current = ""
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) { current += text }

    func parser(
        _ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?
    ) {
        texts.insert(current)
        current = ""
    }
}
