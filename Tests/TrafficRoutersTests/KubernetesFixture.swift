import JSON
import Synchronization
import WebServer

/// A strict API server with one object. Refuses what a real one refuses.
final class FakeAPIServer: Sendable {
    /// The state of the server and its faults.
    struct State {
        var object: JSON
        var version: Int64 = 7
        /// Every request, as `METHOD type status`.
        var log: [String] = []
        /// The patches that were applied, with their types.
        var patches: [(type: String, body: JSON)] = []
        /// Whether requests need the token.
        var requiresToken = true
        /// Answered instead of the next PATCH requests.
        var failures: [Int] = []
        /// The number of patches that find that another writer has just written.
        var rivals = 0
    }

    let state: Mutex<State>
    private let path: String
    private let server: Mutex<HTTPServer?> = Mutex(nil)

    init(_ path: String, _ object: JSON) throws {
        state = Mutex(State(object: object))
        self.path = path
        let started = try HTTPServer(HTTPServerConfiguration()) { [unowned self] request in
            let answer = self.answer(request)
            let type = request[header: "Content-Type"] ?? "-"
            self.state.withLock { $0.log.append("\(request.method) \(type) \(answer.status)") }
            return answer
        }
        server.withLock { $0 = started }
    }

    var url: String { "http://127.0.0.1:\(server.withLock { $0?.port ?? 0 })" }

    func stop() { server.withLock { $0 }?.stop() }

    private func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        if state.withLock(\.requiresToken), request[header: "Authorization"] != "Bearer secret" {
            return Self.failure(401, "Unauthorized")
        }
        if request.method == "GET", let found = discovery(request.path) { return Self.success(found) }
        guard request.path == path else { return Self.failure(404, "not found") }
        return state.withLock { state in
            if request.method == "GET" { return Self.success(Self.stamped(state)) }
            guard request.method == "PATCH" else { return Self.failure(405, "not allowed") }
            if !state.failures.isEmpty { return Self.failure(state.failures.removeFirst(), "told to fail") }
            guard let body = try? JSON(parsing: request.body) else { return Self.failure(400, "no JSON") }
            let isCustom = path.contains("gateway") || path.contains("istio")
            let type = request[header: "Content-Type"]
            switch type {
            case "application/strategic-merge-patch+json" where !isCustom:
                // A version in the patch makes it hold for that version only.
                if let wanted = body["metadata"]?["resourceVersion"]?.text, wanted != String(state.version) {
                    return Self.failure(409, "the object has been modified")
                }
                state.object = Self.merge(state.object, body)
            case "application/json-patch+json":
                if state.rivals > 0 {
                    state.rivals -= 1
                    state.version += 1
                    return Self.failure(state.rivals % 2 == 0 ? 409 : 422, "the object has been modified")
                }
                guard let patched = Self.apply(body, to: Self.stamped(state)) else {
                    return Self.failure(422, "testing value failed")
                }
                state.object = patched
            default: return Self.failure(415, "the body of the request was in an unknown format")
            }
            state.version += 1
            state.patches.append((type ?? "", body))
            return Self.success(Self.stamped(state))
        }
    }

    /// The first requests of generic clients: the API groups, and the kinds in them.
    private func discovery(_ asked: String) -> JSON? {
        let parts = path.split(separator: "/").map(String.init)
        let isCore = parts[0] == "api"
        let version = isCore ? parts[1] : "\(parts[1])/\(parts[2])"
        switch asked {
        case "/api": return ["kind": "APIVersions", "versions": isCore ? ["v1"] : []]
        case "/apis":
            let preferred: JSON = ["groupVersion": .string(version), "version": .string(parts[2])]
            let group: JSON = [
                "name": .string(parts[1]), "versions": [preferred], "preferredVersion": preferred,
            ]
            return ["kind": "APIGroupList", "apiVersion": "v1", "groups": isCore ? [] : [group]]
        case isCore ? "/api/v1" : "/apis/\(version)":
            let kind = state.withLock { $0.object["kind"] ?? .null }
            return [
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(version),
                "resources": [
                    [
                        "name": .string(parts[parts.count - 2]), "namespaced": true, "kind": kind,
                        "verbs": ["get", "patch"],
                    ]
                ],
            ]
        case _: return nil
        }
    }

    private static func success(_ body: JSON) -> HTTPServerResponse {
        HTTPServerResponse(
            status: 200, headers: [("Content-Type", "application/json")], body: Array(body.encoded.utf8))
    }

    private static func failure(_ status: Int, _ message: String) -> HTTPServerResponse {
        let body: JSON = ["kind": "Status", "message": .string(message)]
        return HTTPServerResponse(
            status: status, headers: [("Content-Type", "application/json")], body: Array(body.encoded.utf8))
    }

    private static func stamped(_ state: State) -> JSON {
        merge(state.object, ["metadata": ["resourceVersion": .string(String(state.version))]])
    }

    /// The effect of a strategic merge on objects without lists.
    private static func merge(_ object: JSON, _ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var members = object.members ?? []
        for change in changes {
            if let index = members.firstIndex(where: { $0.name == change.name }) {
                members[index].value = merge(members[index].value, change.value)
            } else {
                members.append(JSON.Member(change.name, merge(.null, change.value)))
            }
        }
        return .object(members)
    }

    /// RFC 6902, as far as `test`, `add` and `remove` of objects go; `nil` where a step fails.
    private static func apply(_ patch: JSON, to object: JSON) -> JSON? {
        var result = object
        for step in patch.elements ?? [] {
            guard let operation = step["op"]?.text, let path = step["path"]?.text, path.hasPrefix("/"),
                let value = operation == "remove" ? .null : step["value"]
            else { return nil }
            let names = path.dropFirst().split(separator: "/").map { String($0).replacing("~1", with: "/") }
            guard let next = change(result, names[...], operation, value) else { return nil }
            result = next
        }
        return result
    }

    private static func change(_ object: JSON, _ names: ArraySlice<String>, _ operation: String, _ value: JSON) -> JSON?
    {
        guard let name = names.first else {
            // Not `? value : nil`, which is the value null.
            guard operation == "add" || operation == "test" && object == value else { return nil }
            return value
        }
        let rest = names.dropFirst()
        switch object {
        case .array(var elements):
            guard let index = Int(name), elements.indices.contains(index),
                let next = change(elements[index], rest, operation, value)
            else { return nil }
            elements[index] = next
            return .array(elements)
        case .object(var members):
            if let index = members.firstIndex(where: { $0.name == name }) {
                if rest.isEmpty, operation == "remove" {
                    members.remove(at: index)
                    return .object(members)
                }
                guard let next = change(members[index].value, rest, operation, value) else { return nil }
                members[index].value = next
            } else {
                guard rest.isEmpty, operation == "add" else { return nil }
                members.append(JSON.Member(name, value))
            }
            return .object(members)
        default: return nil
        }
    }
}
