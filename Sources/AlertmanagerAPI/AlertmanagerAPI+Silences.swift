internal import JSON
internal import MetricModel
internal import Notification
internal import Runtime
internal import WebCore
internal import WebServer

/// Silences in Alertmanager's API, version 2.
extension AlertmanagerAPI {
    /// `/api/v2/silences`: active ones first, then pending, then expired ones. With `filter`, only those with these
    /// matchers.
    func silences(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        let wanted = try Self.matchers(call).map(\.matcher)
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
        return HTTPServerResponse.jsonList(sorted) { writer, silence in Self.write(silence, at: now, into: &writer) }
    }

    /// `GET /api/v2/silence/{id}`
    func silence(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        guard let silence = sources.silences()[try Self.silenceID(call)] else { return HTTPServerResponse(status: 404) }
        var writer = JSONWriter()
        Self.write(silence, at: Timestamp(milliseconds: SystemClock.wallMilliseconds()), into: &writer)
        return .json(writer.bytes)
    }

    /// `DELETE /api/v2/silence/{id}`
    func expireSilence(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        let outcome = sources.expireSilence(try Self.silenceID(call), call.actor)
        if case .failure(let error) = outcome, error.code == .notFound { return HTTPServerResponse(status: 404) }
        _ = try Self.value(of: outcome)
        return HTTPServerResponse(status: 200)
    }

    /// `POST /api/v2/silences`
    func setSilence(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        let wanted = try Silence(posted: try call.json("silence"))
        guard wanted.startsAt < wanted.endsAt else {
            throw .text(status: 400, "Failed to create silence: start time must be before end time")
        }
        guard wanted.endsAt.milliseconds >= SystemClock.wallMilliseconds() else {
            throw .text(status: 400, "Failed to create silence: end time can't be in the past")
        }
        let id = try Self.value(of: sources.setSilence(wanted, call.actor))
        var writer = JSONWriter()
        writer.object { $0.member("silenceID", id) }
        return .json(writer.bytes)
    }

    private static func silenceID(_ call: APIRequest) throws(AlertmanagerError) -> String {
        let id = call.pathParameters[0]
        let isUUID = id.utf8.count == 36 && id.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0.isHexadecimal }
        guard isUUID else { throw .coded(status: 422, code: 601, "silenceID in path must be of type uuid: \"\(id)\"") }
        return id
    }

    private static func value<Value>(of result: Result<Value, SilenceError>) throws(AlertmanagerError) -> Value {
        switch result {
        case .success(let value): return value
        case .failure(let error):
            switch error.code {
            case .invalid: throw .text(status: 400, "invalid silence: \(error.reason)")
            case .full: throw .text(status: 400, error.reason)
            case .notFound: throw .text(status: 404, "silence not found")
            case .storage: throw .text(status: 500, error.reason)
            }
        }
    }

    /// The matchers of the parameter `filter`.
    static func matchers(_ call: APIRequest) throws(AlertmanagerError) -> [LabelMatcher] {
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
    /// The order of lists.
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
    /// The maximum number of matchers of a silence.
    private static let maximumMatchers = 100

    /// Reads a silence posted by a client. As in Alertmanager, unknown members are ignored.
    fileprivate init(posted json: JSON) throws(AlertmanagerError) {
        guard json.members != nil else { throw .malformed("silence", "expected an object") }
        func text(_ name: String) throws(AlertmanagerError) -> String {
            guard let value = json[name], value != .null else { throw .missing(name) }
            guard let text = value.text else { throw .malformed("silence", "\(name): expected text") }
            return text
        }
        func time(_ name: String) throws(AlertmanagerError) -> Timestamp {
            guard let milliseconds = RFC3339.milliseconds(parsing: try text(name)) else {
                throw .malformed("silence", "\(name): expected a time such as 2026-11-21T09:30:00Z")
            }
            return Timestamp(milliseconds: milliseconds)
        }
        let comment = try text("comment")
        let creator = try text("createdBy")
        let end = try time("endsAt")
        guard let list = json["matchers"], list != .null else { throw .missing("matchers") }
        guard let elements = list.elements else { throw .malformed("silence", "matchers: expected a list") }
        guard !elements.isEmpty else {
            throw .coded(status: 422, code: 612, "matchers in body should have at least 1 items")
        }
        guard elements.count <= Self.maximumMatchers else {
            throw .text(status: 400, "a silence may have \(Self.maximumMatchers) matchers, this has \(elements.count)")
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
    fileprivate init(posted json: JSON, place: String) throws(AlertmanagerError) {
        func member(_ name: String) throws(AlertmanagerError) -> JSON {
            guard let value = json[name], value != .null else { throw .missing("\(place).\(name)") }
            return value
        }
        let flag = try member("isRegex")
        guard let isRegex = flag.bool else { throw .malformed("silence", "\(place).isRegex: expected true or false") }
        guard let name = try member("name").text, let value = try member("value").text else {
            throw .malformed("silence", "\(place): expected texts")
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
