internal import Identity
internal import JSON
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import WebCore
internal import WebServer

extension PrometheusAPI {
    /// Deleting and copying samples; refused unless the settings allow it.
    var administrationEndpoints: [Endpoint] {
        let change: [Endpoint.Method] = [.post, .put]
        return [
            .response(
                change, "/api/v1/admin/tsdb/delete_series", "Deletes the samples of series in a window.",
                permission: .administer,
                parameters: [
                    .repeated("match[]", .selector, "Selects series; several are joined by or.", isRequired: true),
                    .optional("start", .time, "The start of the window; the beginning unless given."),
                    .optional("end", .time, "The end of the window; now unless given."),
                ], response: .empty, errors: .envelope, deleteSeries),
            .response(
                change, "/api/v1/admin/tsdb/clean_tombstones",
                "Accepted; deleted samples leave the disk with their segment.", permission: .administer,
                response: .empty, errors: .envelope, cleanTombstones),
            .response(
                change, "/api/v1/admin/tsdb/snapshot", "Copies the samples to a directory of its own.",
                permission: .administer,
                parameters: [.optional("skip_head", .boolean, "Leaves out the samples that are in no segment yet.")],
                response: .json, errors: .envelope, snapshot),
        ]
    }

    private static var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    private var administrationRefusal: HTTPServerResponse? {
        settings.enablesAdministration ? nil : .error(APIError(.unavailable, "admin APIs disabled"))
    }

    private func deleteSeries(_ call: APIRequest) -> HTTPServerResponse {
        if let administrationRefusal { return administrationRefusal }
        do throws(APIError) {
            let window = try window(of: call)
            if window.selectors.isEmpty { throw APIError(.badData, "no match[] parameter provided") }
            do throws(StoreError) {
                try sources.store.delete(
                    matching: window.selectors, from: window.from, through: window.through, now: Self.now)
            } catch {
                throw APIError(.internal, error.message)
            }
            return HTTPServerResponse(status: 204)
        } catch {
            return .error(error)
        }
    }

    private func cleanTombstones(_ call: APIRequest) -> HTTPServerResponse {
        administrationRefusal ?? HTTPServerResponse(status: 204)
    }

    private func snapshot(_ call: APIRequest) -> HTTPServerResponse {
        if let administrationRefusal { return administrationRefusal }
        let skip = call["skip_head"]
        guard ["", "0", "f", "false", "1", "t", "true"].contains(skip.lowercased()) else {
            return .error(.invalid("skip_head", "unable to parse boolean \"\(skip)\""))
        }
        let stamp = RFC3339.text(milliseconds: Self.now.milliseconds / 1000 * 1000)
            .filter { $0 != "-" && $0 != ":" }
        let number = String(UInt64.random(in: .min ... .max), radix: 16)
        let name = "\(stamp)-\(String(repeating: "0", count: 16 - number.count))\(number)"
        do throws(StoreError) {
            // In a directory that a server can be started with.
            try sources.store.snapshot(
                to: "\(settings.snapshotDirectory)/\(name)/samples",
                withoutRows: ["1", "t", "true"].contains(skip.lowercased()))
        } catch {
            return .error(APIError(.internal, "create snapshot: \(error.message)"))
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("status", "success")
            writer.name("data")
            writer.object { $0.member("name", name) }
        }
        return .json(writer.bytes)
    }
}
