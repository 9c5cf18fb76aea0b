public import JSON

/// Follows the objects of one list of an API server: lists them, then watches for changes from that version on. A
/// machine.
public struct ObjectWatch: Equatable, Sendable {
    /// The next request.
    public enum Action: Equatable, Sendable {
        /// Request the first page of the list, or the one after `continuation`.
        case list(continuation: String?)
        /// Request the changes since `version`.
        case watch(version: String)
        /// Wait before the request of ``ObjectWatch/waited()``.
        case wait(milliseconds: Int64)
    }

    /// A change of the objects.
    public enum Change: Equatable, Sendable {
        /// All objects.
        case replaced([JSON])
        /// A new or changed object.
        case put(JSON)
        case removed(JSON)
    }

    /// The result of an event of a watch.
    public enum Reception: Equatable, Sendable {
        case changed(Change)
        /// Nothing to pass on.
        case noted
        /// The watch cannot continue and ends with an error.
        case over(KubernetesError)
    }

    private enum Backoff {
        static let first: Int64 = 800
        static let last: Int64 = 30_000
    }

    /// The version up to which changes are known; `nil` if the list must be requested.
    private var version: String?
    private var pages: [JSON] = []
    private var failures = 0

    /// A watch without objects.
    public init() {}

    /// The next request, to begin or to continue.
    public func waited() -> Action {
        version.map { .watch(version: $0) } ?? .list(continuation: nil)
    }

    /// A page of the list has arrived. Returns a change after the last one.
    public mutating func listed(_ page: JSON) -> (change: Change?, action: Action) {
        let metadata = page["metadata"]
        guard let version = metadata?["resourceVersion"]?.text, page["kind"]?.text?.hasSuffix("List") ?? false else {
            return (nil, failed())
        }
        pages += page["items"]?.elements ?? []
        if let next = metadata?["continue"]?.text, !next.isEmpty { return (nil, .list(continuation: next)) }
        self.version = version
        failures = 0
        defer { pages = [] }
        return (.replaced(pages), .watch(version: version))
    }

    /// An event of the watch has arrived.
    public mutating func received(_ event: JSON) -> Reception {
        guard let object = event["object"] else { return .over(KubernetesError("an event without object")) }
        let kind = event["type"]?.text ?? ""
        if kind == "ERROR" {
            let words = object["message"]?.text ?? object["reason"]?.text ?? "an error without words"
            if object["code"]?.integer == 410 { version = nil }
            return .over(KubernetesError(words))
        }
        guard let version = object["metadata"]?["resourceVersion"]?.text else {
            return .over(KubernetesError("an object without resourceVersion"))
        }
        self.version = version
        failures = 0
        switch kind {
        case "ADDED", "MODIFIED": return .changed(.put(object))
        case "DELETED": return .changed(.removed(object))
        case "BOOKMARK": return .noted
        default: return .over(KubernetesError("an event of the unknown type \"\(kind)\""))
        }
    }

    /// The server has ended the watch, as it does regularly.
    public mutating func watchEnded() -> Action {
        // An end without an event could be one of many in a row.
        failures += 1
        return failures > 1 ? .wait(milliseconds: backoff) : waited()
    }

    /// The version is too old for the server: the objects must be listed again.
    public mutating func expired() -> Action {
        version = nil
        return failed()
    }

    /// A request has failed.
    public mutating func failed() -> Action {
        pages = []
        failures += 1
        return .wait(milliseconds: backoff)
    }

    private var backoff: Int64 {
        min(Backoff.last, Backoff.first << min(Int64(max(0, failures - 1)), 10))
    }
}
