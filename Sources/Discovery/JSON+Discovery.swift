internal import CurlHTTP
internal import JSON

/// Accessors for responses of APIs.
extension JSON {
    /// The body of a response.
    static func discovered(_ response: HTTPResponse, _ place: String) throws(DiscoveryError) -> JSON {
        do throws(JSONError) { return try JSON(parsing: response.body) } catch {
            throw DiscoveryError("\(place): \(error)")
        }
    }

    /// The text of the member `name`; empty if there is none.
    func word(_ name: String) -> String { self[name]?.text ?? "" }

    /// Adds the members of an object as labels with the prefix `prefix`.
    func addLabels(_ prefix: String, to labels: inout [String: String]) {
        for member in members ?? [] {
            labels[prefix + DiscoveredText.labelName(member.name)] = member.value.text ?? ""
        }
    }
}
