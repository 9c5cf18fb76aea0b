internal import JSON
internal import MetricModel
internal import Notification
internal import Runtime
internal import WebServer

/// Silences in Alertmanager's API, version 2.
extension Exporter {
    /// `/api/v2/silences`: active ones first, then pending, then expired ones; with `filter`, those that have such
    /// matchers. `POST` makes or changes one.
    func silences(_ call: APICall) throws(AlertmanagerFault) -> HTTPServerResponse {
        if call.request.method == "POST" { return try setSilence(call) }
        let wanted = try Self.filter(call).map(\.matcher)
        let creators = call.all("creator")
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let found = sources.silences().all.filter { silence in
            let matchers = silence.matchers.map(\.matcher)
            return wanted.allSatisfy { matchers.contains($0) }
                && (creators.isEmpty || creators.contains { ByteOrder.equal($0, silence.createdBy) })
        }
        let sorted = found.sorted { left, right in
            let (first, second) = (left.state(at: now), right.state(at: now))
            guard first == second else { return first.rank < second.rank }
            let isEarlier =
                switch first {
                case .active: (left.endsAt, left.id) < (right.endsAt, right.id)
                case .pending: (left.startsAt, left.id) < (right.startsAt, right.id)
                case .expired: (right.endsAt, left.id) < (left.endsAt, right.id)
                }
            return isEarlier
        }
        return JSONBody.list(sorted) { writer, silence in Self.write(silence, at: now, into: &writer) }
    }

    /// `/api/v2/silence/<id>`; `DELETE` ends it.
    func silence(_ call: APICall) throws(AlertmanagerFault) -> HTTPServerResponse {
        let id = call.path[0]
        let isUUID = id.utf8.count == 36 && id.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0.isHexadecimal }
        guard isUUID else { throw .coded(status: 422, code: 601, "silenceID in path must be of type uuid: \"\(id)\"") }
        if call.request.method == "DELETE" {
            try authorizeChange(call)
            _ = try Self.value(of: sources.expireSilence(id, Self.actor(call)))
            return HTTPServerResponse(status: 200)
        }
        guard let silence = sources.silences()[id] else { return HTTPServerResponse(status: 404) }
        var writer = JSONWriter()
        Self.write(silence, at: Timestamp(milliseconds: SystemClock.wallMilliseconds()), into: &writer)
        return .json(writer.bytes)
    }

    private func setSilence(_ call: APICall) throws(AlertmanagerFault) -> HTTPServerResponse {
        try authorizeChange(call)
        let wanted = try Silence(posted: try json(call))
        let id = try Self.value(of: sources.setSilence(wanted, Self.actor(call)))
        var writer = JSONWriter()
        writer.object { $0.member("silenceID", id) }
        return .json(writer.bytes)
    }

    /// Who answers for a change: what the header says, or the address.
    private static func actor(_ call: APICall) -> String {
        let name = call.request[header: "X-Tribune-Actor"] ?? ""
        return name.isEmpty || name.utf8.count > 200 ? call.request.peer : name
    }

    private static func value<Value>(of result: Result<Value, SilenceError>) throws(AlertmanagerFault) -> Value {
        switch result {
        case .success(let value): return value
        case .failure(let error):
            let status =
                switch error.code {
                case .invalid, .full: 400
                case .notFound: 404
                case .storage: 500
                }
            throw .text(status: status, error.reason)
        }
    }

    /// The matchers of the parameter `filter`, which may be given several times.
    static func filter(_ call: APICall) throws(AlertmanagerFault) -> [LabelMatcher] {
        var matchers: [LabelMatcher] = []
        for text in call.all("filter") {
            do throws(LabelMatcherError) { matchers.append(try LabelMatcher(parsing: text)) } catch {
                throw .text(status: 400, "bad matcher format: \(error.reason)")
            }
        }
        return matchers
    }

    private static func write(_ silence: Silence, at now: Timestamp, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", silence.id)
            writer.name("status")
            writer.object { $0.member("state", silence.state(at: now).rawValue) }
            writer.member("updatedAt", silence.updatedAt)
            writer.member("comment", silence.comment)
            writer.member("createdBy", silence.createdBy)
            writer.member("endsAt", silence.endsAt)
            writer.name("matchers")
            writer.array(silence.matchers.map(\.matcher)) { writer, matcher in
                writer.object {
                    $0.member("isEqual", matcher.operation == .equal || matcher.operation == .regex)
                    $0.member("isRegex", matcher.operation == .regex || matcher.operation == .notRegex)
                    $0.member("name", matcher.name)
                    $0.member("value", matcher.value)
                }
            }
            writer.member("startsAt", silence.startsAt)
        }
    }
}

extension Silence.State {
    /// The order in which people look at silences.
    fileprivate var rank: Int {
        switch self {
        case .active: 0
        case .pending: 1
        case .expired: 2
        }
    }
}

extension UInt8 {
    fileprivate var isHexadecimal: Bool { (0x30...0x39).contains(self) || (0x61...0x66).contains(self | 0x20) }
}

extension Silence {
    /// Most matchers of a silence.
    private static let mostMatchers = 100

    /// Reads what clients of Alertmanager post. Members that are not known are read past, as there.
    fileprivate init(posted json: JSON) throws(AlertmanagerFault) {
        guard json.members != nil else { throw .malformed("expected an object") }
        func text(_ name: String) throws(AlertmanagerFault) -> String {
            guard let value = json[name], value != .null else { throw .missing(name) }
            guard let text = value.text else { throw .malformed("\(name): expected text") }
            return text
        }
        func time(_ name: String) throws(AlertmanagerFault) -> Timestamp {
            guard let milliseconds = RFC3339.milliseconds(parsing: try text(name)) else {
                throw .malformed("\(name): expected a time such as 2026-11-21T09:30:00Z")
            }
            return Timestamp(milliseconds: milliseconds)
        }
        let comment = try text("comment")
        let creator = try text("createdBy")
        let end = try time("endsAt")
        guard let list = json["matchers"], list != .null else { throw .missing("matchers") }
        guard let elements = list.elements else { throw .malformed("matchers: expected a list") }
        guard !elements.isEmpty else {
            throw .coded(status: 422, code: 612, "matchers in body should have at least 1 items")
        }
        guard elements.count <= Self.mostMatchers else {
            throw .text(status: 400, "a silence may have \(Self.mostMatchers) matchers, this has \(elements.count)")
        }
        var matchers: [LabelMatcher] = []
        for (index, element) in elements.enumerated() {
            matchers.append(try LabelMatcher(posted: element, place: "matchers.\(index)"))
        }
        self.init(
            id: json["id"]?.text ?? "", matchers: matchers, startsAt: try time("startsAt"), endsAt: end,
            createdBy: creator, comment: comment)
    }
}

extension LabelMatcher {
    fileprivate init(posted json: JSON, place: String) throws(AlertmanagerFault) {
        func member(_ name: String) throws(AlertmanagerFault) -> JSON {
            guard let value = json[name], value != .null else { throw .missing("\(place).\(name)") }
            return value
        }
        let flag = try member("isRegex")
        guard let isRegex = flag.bool else { throw .malformed("\(place).isRegex: expected true or false") }
        guard let name = try member("name").text, let value = try member("value").text else {
            throw .malformed("\(place): expected texts")
        }
        guard !name.isEmpty else { throw .text(status: 400, "\(place): the label name is empty") }
        let isEqual = json["isEqual"]?.bool ?? true
        let operation: Matcher.Operation = isRegex ? (isEqual ? .regex : .notRegex) : (isEqual ? .equal : .notEqual)
        do throws(LabelMatcherError) {
            self = try LabelMatcher(Matcher(name, operation, value))
        } catch {
            throw .text(status: 400, "\(place): \(error.reason)")
        }
    }
}
