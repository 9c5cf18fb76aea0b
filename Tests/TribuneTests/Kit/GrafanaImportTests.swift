import CurlHTTP
import Foundation
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// The bodies for Grafana's `POST /api/dashboards/db`, sent with curl to a stand-in that refuses what Grafana refuses.
@Suite struct GrafanaImportTests {
    private static let folder = "\(ReferenceTests.root)/dashboards"

    private static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }.sorted()
    }

    @Test func everyDashboardHasABodyThatIsTheDashboard() throws {
        for name in try Self.names() {
            let dashboard = try JSON(parsing: try FileText.bytes("\(Self.folder)/\(name)", limit: 1 << 20))
            let body = try JSON(parsing: try FileText.bytes("\(Self.folder)/import/\(name)", limit: 1 << 20))
            let wanted = JSON.object([.init("id", .null)] + (dashboard.members ?? []))
            #expect(body["dashboard"]?.encoded == wanted.encoded, "\(name): dashboards/import is out of date")
        }
    }

    @Test func grafanaTakesEveryBodyAndASecondTime() throws {
        let grafana = GrafanaStandIn()
        defer { grafana.server.stop() }
        for name in try Self.names() {
            for version in [1, 2] {
                let output = TemporaryDirectory()
                _ = try ChildProcess(
                    [
                        "curl", "-s", "-X", "POST", "\(grafana.server.url)/api/dashboards/db", "-H",
                        "Content-Type: application/json", "-d", "@\(Self.folder)/import/\(name)",
                    ], output: .file(output.file("answer"))
                ).wait()
                let answer = try JSON(parsing: FileText.read(output.file("answer")) ?? "")
                #expect(
                    answer["status"] == "success" && answer["version"]?.integer == Int64(version),
                    "\(name): \(answer.encoded)")
            }
        }
    }

    /// The stand-in itself refuses what Grafana refuses.
    @Test(arguments: [
        (#"{}"#, "Dashboard model is required"),
        (#"{"dashboard": {"title": ""}}"#, "Dashboard title cannot be empty"),
        (#"{"dashboard": {"title": "a", "uid": "with space"}}"#, "uid contains illegal characters"),
        (#"{"dashboard": {"title": "a", "id": 7}}"#, "Dashboard not found"),
        (#"{"dashboard": {"title": "a"}, "folder": 1}"#, "unknown field folder"),
        (#"{"dashboard": {"title": "a", "panels": [{"id": 1, "type": "stat"}]}}"#, "panel 1 has no gridPos"),
    ])
    func standInIsStrict(body: String, message: String) throws {
        #expect(GrafanaStandIn.fault(of: try JSON(parsing: body)) == message)
    }
}

/// Grafana's `POST /api/dashboards/db`, after its API's documentation and the checks of its dashboard service.
private final class GrafanaStandIn {
    let server: LoopbackServer

    init() {
        let versions = Mutex([String: Int64]())
        server = LoopbackServer { request in
            guard request.line.hasPrefix("POST /api/dashboards/db "),
                request.headers["content-type"]?.hasPrefix("application/json") == true,
                case .some(let body) = try? JSON(parsing: request.body)
            else { return .ok(#"{"message": "bad request data"}"#, status: "400 Bad Request") }
            if let fault = Self.fault(of: body) {
                return .ok(JSON.object([.init("message", .string(fault))]).encoded, status: "400 Bad Request")
            }
            let uid = body["dashboard"]?["uid"]?.text ?? ""
            let version = versions.withLock { versions -> Int64? in
                guard versions[uid] == nil || body["overwrite"] == true else { return nil }
                versions[uid, default: 0] += 1
                return versions[uid]
            }
            guard let version else { return .ok(#"{"status": "name-exists"}"#, status: "412 Precondition Failed") }
            let answer: JSON = [
                "id": .integer(1), "uid": .string(uid), "status": "success", "version": .integer(version),
                "url": .string("/d/\(uid)/"), "slug": .string(uid),
            ]
            return .ok(answer.encoded)
        }
    }

    static func fault(of body: JSON) -> String? {
        let known: Set = ["dashboard", "folderId", "folderUid", "message", "overwrite", "isFolder", "userId"]
        if let unknown = (body.members ?? []).first(where: { !known.contains($0.name) }) {
            return "unknown field \(unknown.name)"
        }
        guard let dashboard = body["dashboard"], dashboard.members != nil else { return "Dashboard model is required" }
        guard dashboard["title"]?.text?.isEmpty == false else { return "Dashboard title cannot be empty" }
        if let id = dashboard["id"], id != .null { return "Dashboard not found" }
        if let uid = dashboard["uid"]?.text {
            guard uid.count <= 40 else { return "uid too long, max 40 characters" }
            let isLegal = uid.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
            guard isLegal else { return "uid contains illegal characters" }
        }
        if let refresh = dashboard["refresh"]?.text, !refresh.isEmpty, refresh.wholeMatch(of: /\d+(ms|s|m|h|d)/) == nil
        {
            return "refresh interval is not valid"
        }
        var identifiers: Set<Int64> = []
        for panel in dashboard["panels"]?.elements ?? [] {
            guard let id = panel["id"]?.integer, identifiers.insert(id).inserted else { return "panel ids must differ" }
            guard panel["type"]?.text?.isEmpty == false else { return "panel \(id) has no type" }
            guard ["h", "w", "x", "y"].allSatisfy({ panel["gridPos"]?[$0]?.integer != nil }) else {
                return "panel \(id) has no gridPos"
            }
        }
        return nil
    }
}
