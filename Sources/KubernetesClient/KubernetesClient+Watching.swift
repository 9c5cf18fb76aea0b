internal import CurlHTTP
internal import JSON
internal import Runtime

/// A list of objects: where it is, and which of its objects are asked for. A value.
public struct ObjectList: Equatable, Sendable {
    /// The path, such as `/api/v1/namespaces/shop/pods`.
    public var path: String
    /// A label selector; empty for all objects.
    public var labels: String
    /// A field selector; empty for all objects.
    public var fields: String

    /// The objects at `path` that the selectors select.
    public init(path: String, labels: String = "", fields: String = "") {
        self.path = path
        self.labels = labels
        self.fields = fields
    }

    fileprivate func target(_ parameters: [(String, String)]) -> String {
        var all = parameters
        if !labels.isEmpty { all.append(("labelSelector", labels)) }
        if !fields.isEmpty { all.append(("fieldSelector", fields)) }
        return "\(path)?\(FormText.encoded(all))"
    }
}

extension KubernetesClient {
    private enum Limit {
        static let pageObjects = 500
        static let pageBytes = 256 << 20
        static let eventBytes = 16 << 20
        static let listMilliseconds: Int64 = 60_000
        /// The server ends a watch after this time, and the next one begins.
        static let watchSeconds: Int64 = 300
    }

    /// Lists the objects of `list` and hands changes over until `isCancelled`, which is asked once a second. Blocks.
    ///
    /// - Parameters:
    ///   - wait: Waits so many milliseconds, or until the end.
    ///   - onChange: Takes the next change, on the caller's thread.
    ///   - onFailure: Told of each failed request; the following one comes after a growing pause.
    public func follow(
        _ list: ObjectList, isCancelled: @escaping @Sendable () -> Bool, wait: (Int64) -> Void,
        onChange: (ObjectWatch.Change) -> Void, onFailure: (KubernetesError) -> Void
    ) {
        var machine = ObjectWatch()
        var action = machine.waited()
        while !isCancelled() {
            switch action {
            case .wait(let milliseconds):
                wait(milliseconds)
                action = machine.waited()
            case .list(let continuation):
                action = self.list(list, continuation, &machine, isCancelled, onChange, onFailure)
            case .watch(let version):
                action = watch(list, version, &machine, isCancelled, onChange, onFailure)
            }
        }
    }

    private func list(
        _ list: ObjectList, _ continuation: String?, _ machine: inout ObjectWatch,
        _ isCancelled: @escaping @Sendable () -> Bool, _ onChange: (ObjectWatch.Change) -> Void,
        _ onFailure: (KubernetesError) -> Void
    ) -> ObjectWatch.Action {
        var parameters = [("limit", String(Limit.pageObjects))]
        if let continuation { parameters.append(("continue", continuation)) }
        let target = list.target(parameters)
        do throws(KubernetesError) {
            var request = try request("GET", target, milliseconds: Limit.listMilliseconds)
            request.maximumBodyBytes = Limit.pageBytes
            let answer = try perform("GET", list.path) { client throws(HTTPFailure) in
                try client.send(request, isCancelled: isCancelled)
            }
            if answer.status == 410 { return machine.expired() }
            try Self.check(answer, "GET", list.path)
            let page: JSON
            do throws(JSONError) { page = try JSON(parsing: answer.body) } catch {
                throw KubernetesError("GET \(list.path) answered \(error)")
            }
            let (change, action) = machine.listed(page)
            if case .wait = action { onFailure(KubernetesError("GET \(list.path) answered no list")) }
            if let change { onChange(change) }
            return action
        } catch {
            if !isCancelled() { onFailure(error) }
            return machine.failed()
        }
    }

    private func watch(
        _ list: ObjectList, _ version: String, _ machine: inout ObjectWatch,
        _ isCancelled: @escaping @Sendable () -> Bool, _ onChange: (ObjectWatch.Change) -> Void,
        _ onFailure: (KubernetesError) -> Void
    ) -> ObjectWatch.Action {
        let target = list.target([
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
            ("timeoutSeconds", String(Limit.watchSeconds)),
        ])
        var lines = LineBuffer(limit: Limit.eventBytes)
        var refusal: [UInt8] = []
        var problem: KubernetesError?
        var watched = machine
        // What came before an error counts, above all that the version is too old.
        defer { machine = watched }
        do throws(KubernetesError) {
            let request = try request("GET", target, milliseconds: (Limit.watchSeconds + 30) * 1000)
            let answer = try perform("GET", list.path) { client throws(HTTPFailure) in
                try client.stream(request, isCancelled: isCancelled) { status, bytes in
                    guard status == 200 else {
                        refusal += bytes.prefix(4096 - min(4096, refusal.count))
                        return true
                    }
                    problem = Self.take(bytes, &lines, &watched, onChange)
                    return problem == nil
                }
            }
            if answer.status == 410 { return watched.expired() }
            try Self.check(HTTPResponse(status: answer.status, body: refusal), "GET", list.path)
            return watched.watchEnded()
        } catch {
            if !isCancelled() { onFailure(problem ?? error) }
            return watched.failed()
        }
    }

    /// Hands over the events among `bytes`, each on a line of its own. Returns why the watch cannot go on.
    private static func take(
        _ bytes: [UInt8], _ lines: inout LineBuffer, _ machine: inout ObjectWatch,
        _ onChange: (ObjectWatch.Change) -> Void
    ) -> KubernetesError? {
        guard lines.append(bytes) else { return KubernetesError("an event exceeds \(Limit.eventBytes) bytes") }
        while let line = lines.next() {
            let event: JSON
            do throws(JSONError) { event = try JSON(parsing: line) } catch {
                return KubernetesError("an event is not JSON: \(error)")
            }
            switch machine.received(event) {
            case .changed(let change): onChange(change)
            case .noted: break
            case .over(let error): return error
            }
        }
        return nil
    }
}

/// Bytes of a stream, cut into lines. A value.
struct LineBuffer {
    private let limit: Int
    private var bytes: [UInt8] = []
    private var start = 0
    /// Up to here there is no end of a line.
    private var searched = 0

    /// - Parameter limit: Bytes of the longest line.
    init(limit: Int) {
        self.limit = limit
    }

    /// Takes `more` in. Returns false where the line that is not complete exceeds the limit.
    mutating func append(_ more: [UInt8]) -> Bool {
        if start > 0 {
            bytes.removeFirst(start)
            searched -= start
            start = 0
        }
        bytes += more
        return bytes.count - searched <= limit || bytes[searched...].contains(0x0a)
    }

    /// The next line that is complete and not empty.
    mutating func next() -> [UInt8]? {
        while let end = bytes[searched...].firstIndex(of: 0x0a) {
            let line = Array(bytes[start..<end])
            start = end + 1
            searched = start
            if !line.isEmpty { return line }
        }
        return nil
    }
}
