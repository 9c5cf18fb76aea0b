import JSON
import Runtime
import Synchronization
import TestSupport

/// A strict stand-in for the API server of Kubernetes: its paths, lists with pages, watches with bookmarks, and errors
/// as objects. Any thread may change the objects.
final class KubernetesStandIn: Sendable {
    private struct Event {
        var version: Int
        var path: String
        var text: String
    }

    private struct State {
        var version = 100
        /// By list path and `namespace/name`.
        var objects: [String: [String: JSON]] = [:]
        var events: [Event] = []
        /// Watches from an older version are too old.
        var oldest = 0
        var refusals: [String] = []
        var requests: [String] = []
        var status: String?
        var stopped = false
    }

    private static let kinds = [
        "pods": "Pod", "services": "Service", "endpoints": "Endpoints", "nodes": "Node", "namespaces": "Namespace",
        "endpointslices": "EndpointSlice", "ingresses": "Ingress", "replicasets": "ReplicaSet", "jobs": "Job",
    ]

    private let state = Mutex(State())
    private let server = Mutex<LoopbackServer?>(nil)
    /// The token that clients have to send.
    let token = "a-token"

    init() {
        server.withLock { $0 = LoopbackServer { [unowned self] in answer($0) } }
    }

    var url: String { server.withLock { $0?.url ?? "" } }
    /// Requests that an API server would not accept.
    var refusals: [String] { state.withLock { $0.refusals } }
    /// The targets of all requests.
    var requests: [String] { state.withLock { $0.requests } }

    func stop() {
        state.withLock { $0.stopped = true }
        server.withLock { $0 }?.stop()
    }

    /// Adds or changes an object, or deletes it.
    func put(_ path: String, _ json: String, deleting: Bool = false) {
        guard case .object(var members) = try? JSON(parsing: json) else { preconditionFailure(json) }
        state.withLock { state in
            state.version += 1
            let old = members.first { $0.name == "metadata" }?.value
            let metadata = (old?.members ?? []) + [JSON.Member("resourceVersion", .string(String(state.version)))]
            members.removeAll { $0.name == "metadata" }
            members.append(JSON.Member("metadata", .object(metadata)))
            let object = JSON.object(members)
            let key = "\(old?["namespace"]?.text ?? "")/\(old?["name"]?.text ?? "")"
            let isKnown = state.objects[path]?[key] != nil
            state.objects[path, default: [:]][key] = deleting ? nil : object
            let type = deleting ? "DELETED" : isKnown ? "MODIFIED" : "ADDED"
            state.events.append(
                Event(
                    version: state.version, path: path,
                    text: JSON.object([.init("type", .string(type)), .init("object", object)]).encoded + "\n"))
        }
    }

    /// Forgets the past, as the real one does after some minutes: watches have to begin again.
    func compact() {
        state.withLock { state in
            state.version += 1
            state.oldest = state.version
            state.events = []
        }
    }

    /// Answers everything with a status until it is `nil` again.
    func fail(_ status: String?) { state.withLock { $0.status = status } }

    // MARK: Answers

    private func refuse(_ reason: String, _ status: String = "400 Bad Request") -> LoopbackServer.Reply {
        state.withLock { $0.refusals.append(reason) }
        return problem(status, reason)
    }

    private func problem(_ status: String, _ reason: String) -> LoopbackServer.Reply {
        .ok(
            #"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"\#(reason)","code":\#(status.prefix(3))}"#,
            type: "application/json", status: status)
    }

    private func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
        let parts = request.target.split(separator: "?", maxSplits: 1)
        let path = String(parts.first ?? "")
        state.withLock { $0.requests.append(request.target) }
        if let status = state.withLock({ $0.status }) { return problem(status, "as asked for") }
        guard request.line.hasPrefix("GET ") else { return refuse("method of \(request.line)") }
        guard request.headers["authorization"] == "Bearer \(token)" else {
            return refuse("unauthorized", "401 Unauthorized")
        }
        guard request.headers["accept"]?.hasPrefix("application/json") ?? false else { return refuse("accept") }
        let resource = String(path.split(separator: "/").last ?? "")
        let group =
            switch resource {
            case "endpointslices": "/apis/discovery.k8s.io/v1/"
            case "ingresses": "/apis/networking.k8s.io/v1/"
            case "replicasets": "/apis/apps/v1/"
            case "jobs": "/apis/batch/v1/"
            default: "/api/v1/"
            }
        guard let kind = Self.kinds[resource], path.hasPrefix(group) else {
            return refuse("the server could not find the requested resource \(path)", "404 Not Found")
        }
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[String(sides[0])] = String(sides[1])
        }
        let known: Set = [
            "limit", "continue", "watch", "allowWatchBookmarks", "resourceVersion", "timeoutSeconds", "labelSelector",
            "fieldSelector",
        ]
        if let other = query.keys.first(where: { !known.contains($0) }) { return refuse("parameter \(other)") }
        return query["watch"] == "true" ? watch(path, query) : list(path, kind, query)
    }

    private func isInside(_ key: String, _ namespace: String?) -> Bool {
        namespace.map { key.hasPrefix($0 + "/") } ?? true
    }

    /// The path of the whole cluster, and the namespace of `path`.
    private func scope(_ path: String) -> (path: String, namespace: String?) {
        let parts = path.split(separator: "/").map(String.init)
        guard let index = parts.firstIndex(of: "namespaces"), parts.count > index + 2 else { return (path, nil) }
        return ("/" + (parts[..<index] + parts[(index + 2)...]).joined(separator: "/"), parts[index + 1])
    }

    private func list(_ path: String, _ kind: String, _ query: [String: String]) -> LoopbackServer.Reply {
        guard let limit = query["limit"].flatMap({ Int($0) }), limit > 0 else { return refuse("a list without limit") }
        let (whole, namespace) = scope(path)
        return state.withLock { state in
            let all = (state.objects[whole] ?? [:]).filter { isInside($0.key, namespace) }.sorted { $0.key < $1.key }
            // Short pages, so that clients have to ask for more.
            let start = query["continue"].flatMap { Int($0) } ?? 0
            let page = all.dropFirst(start).prefix(2)
            let rest = start + page.count < all.count ? String(start + page.count) : ""
            let metadata: JSON = ["resourceVersion": .string(String(state.version)), "continue": .string(rest)]
            let list: JSON = [
                "kind": .string(kind + "List"), "metadata": metadata, "items": .array(page.map(\.value)),
            ]
            return .ok(list.encoded, type: "application/json")
        }
    }

    /// Waits for events, sends them with a bookmark, and ends: a watch may end at any time.
    private func watch(_ path: String, _ query: [String: String]) -> LoopbackServer.Reply {
        guard let version = query["resourceVersion"].flatMap({ Int($0) }), query["allowWatchBookmarks"] == "true" else {
            return refuse("a watch without version or bookmarks")
        }
        let (whole, namespace) = scope(path)
        var reply: LoopbackServer.Reply?
        _ = Loopback.eventually {
            reply = state.withLock { state -> LoopbackServer.Reply? in
                if state.stopped { return .ok("", type: "application/json") }
                if version < state.oldest {
                    let gone =
                        #"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}"#
                    return chunked([gone + "\n"])
                }
                let events = state.events.filter { event in
                    event.version > version && event.path == whole
                        && (namespace.map { event.text.contains("\"namespace\":\"\($0)\"") } ?? true)
                }
                if events.isEmpty { return nil }
                let bookmark =
                    #"{"type":"BOOKMARK","object":{"kind":"X","metadata":{"resourceVersion":"\#(state.version)"}}}"#
                return chunked(events.map(\.text) + [bookmark + "\n"])
            }
            return reply != nil
        }
        return reply ?? chunked([])
    }

    /// Texts in chunks that do not respect lines.
    private func chunked(_ texts: [String]) -> LoopbackServer.Reply {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        let bytes = Array(texts.joined().utf8)
        let middle = bytes.count / 2
        let pieces = [Array(bytes[..<middle]), Array(bytes[middle...])].filter { !$0.isEmpty }.map { piece in
            Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8)
        }
        return .pieces([Array(head.utf8)] + pieces + [Array("0\r\n\r\n".utf8)])
    }
}
