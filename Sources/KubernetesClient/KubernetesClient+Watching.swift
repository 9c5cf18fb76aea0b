internal import CurlHTTP
internal import JSON
internal import Runtime

/// A list of objects: its path and selectors. A value.
public struct ObjectList: Equatable, Sendable {
    /// The path, such as `/api/v1/namespaces/shop/pods`.
    public var path: String
    /// A label selector; empty for all objects.
    public var labels: String
    /// A field selector; empty for all objects.
    public var fields: String

    /// The selected objects at `path`.
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

    /// Lists the objects of `list` and passes on changes until `isCancelled`, which is called once a second. Blocks.
    ///
    /// - Parameters:
    ///   - wait: waits for the given milliseconds, or until the end.
    ///   - onChange: receives the next change, on the caller's thread.
    ///   - onFailure: receives each failed request; the next one follows after a growing pause.
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
        // Events before an error are processed, above all the error that the version is too old.
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

    /// Passes on the events in `bytes`, each on its own line. Returns why the watch cannot continue.
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

/// Bytes of a stream, split into lines. A value.
struct LineBuffer {
    private let limit: Int
    private var bytes: [UInt8] = []
    private var start = 0
    /// The bytes before this index have no line end.
    private var searched = 0

    /// - Parameter limit: the length of the longest line, in bytes.
    init(limit: Int) {
        self.limit = limit
    }

    /// Appends `more`. Returns false if the incomplete line exceeds the limit.
    mutating func append(_ more: [UInt8]) -> Bool {
        if start > 0 {
            bytes.removeFirst(start)
            searched -= start
            start = 0
        }
        bytes += more
        return bytes.count - searched <= limit || bytes[searched...].contains(0x0a)
    }

    /// The next complete line that is not empty.
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
