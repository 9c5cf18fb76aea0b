internal import CurlHTTP
internal import JSON

/// What discovery reads in the answers of APIs.
extension JSON {
    /// The body of an answer.
    static func discovered(_ response: HTTPResponse, _ place: String) throws(DiscoveryError) -> JSON {
        do throws(JSONError) { return try JSON(parsing: response.body) } catch {
            throw DiscoveryError("\(place): \(error)")
        }
    }

    /// The text of the member `name`; empty where there is none.
    func word(_ name: String) -> String { self[name]?.text ?? "" }

    /// Adds the members of an object as labels that begin with `prefix`.
    func addLabels(_ prefix: String, to labels: inout [String: String]) {
        for member in members ?? [] {
            labels[prefix + DiscoveredText.labelName(member.name)] = member.value.text ?? ""
        }
    }
}
