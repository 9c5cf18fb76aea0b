internal import History
internal import JSON
internal import WebCore
internal import WebServer

extension TribuneAPI {
    /// The endpoints to verify the ledger without trust in this server: checkpoint and tiles as in C2SP tlog-tiles, and
    /// proofs.
    var proofEndpoints: [Endpoint] {
        let prefix = "/api/v1/history"
        let segment = { (name: String) in
            Parameter.path(name, .string, "Level, index or width of a tile, as in C2SP tlog-tiles.")
        }
        let tiles = (2...6).map { count in
            // A path parameter takes one segment, and an index takes one for each three digits.
            let names = ["level", "a", "b", "c", "d", "e"].prefix(count)
            return Endpoint.response(
                [.get], PathTemplate("\(prefix)/tile/" + names.map { "{\($0)}" }.joined(separator: "/")),
                "Shows hashes of the ledger's tree as a tile of C2SP tlog-tiles.", parameters: names.map(segment),
                response: .file(contentType: "application/octet-stream"), tile)
        }
        return [
            .response(
                [.get], "/api/v1/history/checkpoint", "Shows the newest checkpoint, a signed note of C2SP.",
                response: .text, checkpoint),
            .data(
                [.get], "/api/v1/history/proof/{entry}",
                "Proves that an entry is in the record of the newest checkpoint.",
                parameters: [.path("entry", .integer, "The number of the entry.")], refusesUnknownParameters: true,
                proof),
            .data(
                [.get], "/api/v1/history/consistency", "Proves that the record continues a smaller one.",
                parameters: [
                    .optional("from", .integer, "Entries of the smaller record, 0 unless given."),
                    .optional(
                        "to", .integer, "Entries of the larger one; those of the newest checkpoint unless given."),
                ], refusesUnknownParameters: true, consistency),
        ] + tiles
    }

    private func checkpoint(_ call: APIRequest) -> HTTPServerResponse {
        do throws(APIError) {
            return .text(try ledger { () throws(HistoryError) in try sources.ledger.checkpoint() })
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
    }

    private func proof(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        guard let entry = Int64(call.pathParameters[0]), entry > 0 else {
            throw APIError(.notFound, "there is no such entry: expected its number")
        }
        writer.write(try ledger { () throws(HistoryError) in try sources.ledger.proof(entry) }.json)
        return APIResult()
    }

    private func consistency(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        func size(_ name: String) throws(APIError) -> Int64? {
            if call[name].isEmpty { return nil }
            guard let size = Int64(call[name]), size >= 0 else { throw .invalid(name, "expected a number of entries") }
            return size
        }
        let old = try size("from") ?? 0
        let end = try size("to")
        writer.write(try ledger { () throws(HistoryError) in try sources.ledger.consistency(old, end) }.json)
        return APIResult()
    }

    private func tile(_ call: APIRequest) -> HTTPServerResponse {
        guard let path = TilePath(call.pathParameters) else { return .text("there is no such tile\n", status: 404) }
        do throws(APIError) {
            var hashes = try ledger { () throws(HistoryError) in try sources.ledger.tile(path.level, path.index) }
            guard hashes.count >= path.width * 32 else { return .text("there is no such tile\n", status: 404) }
            hashes.removeLast(hashes.count - path.width * 32)
            return HTTPServerResponse(
                status: 200, headers: [("Content-Type", "application/octet-stream")], body: hashes)
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
    }
}

/// The address of a tile: level, index in groups of three digits, and perhaps a width. `1/x001/x234/067.p/8` is the
/// first eighth of the tile 1234067 of level 1.
struct TilePath: Equatable {
    var level: Int
    var index: Int64
    /// The number of requested hashes, 1 to 256.
    var width = 256

    /// Reads the segments of a path; `nil` if they are not the address of a tile.
    init?(_ segments: [String]) {
        var segments = segments[...]
        guard let first = segments.popFirst(), let level = Self.number(first, digits: 1...1), level <= 7 else {
            return nil
        }
        self.level = Int(level)
        if segments.count > 1, segments[segments.endIndex - 2].hasSuffix(".p"), let last = segments.popLast() {
            guard let width = Self.number(last, digits: 1...3), (1...255).contains(width), last.first != "0" else {
                return nil
            }
            self.width = Int(width)
            segments.append(String(segments.removeLast().dropLast(2)))
        }
        guard let last = segments.popLast(), let end = Self.number(last, digits: 3...3) else { return nil }
        index = 0
        for segment in segments {
            guard segment.first == "x", let group = Self.number(String(segment.dropFirst()), digits: 3...3) else {
                return nil
            }
            // Without leading groups of zeros, so that each tile has one address.
            if index == 0, group == 0 { return nil }
            index = index * 1000 + group
        }
        index = index * 1000 + end
    }

    private static func number(_ text: String, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }
}
