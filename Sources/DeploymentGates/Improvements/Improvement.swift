internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// Work for an executor, with its status. A machine: takes events and returns the time of the next attempt.
struct Improvement: Equatable {
    enum Status: String, CaseIterable {
        /// Waits for an attempt. Next: `delegated`, `undeliverable`.
        case queued
        /// The executor accepted it. Next: `running`, `succeeded`, `failed`.
        case delegated
        /// The executor reported that it runs. Next: `succeeded`, `failed`.
        case running
        case succeeded
        case failed
        /// No attempt succeeded.
        case undeliverable

        /// Whether the status can no longer change.
        var isFinal: Bool { self == .succeeded || self == .failed || self == .undeliverable }
    }

    var id: String
    var at: Timestamp
    var actor: String
    /// The request as received.
    var request: JSON
    var status = Status.queued
    var attempts = 0
    /// The executor's last message, or an error.
    var detail = ""
    var changedAt: Timestamp
    /// The time of the next attempt.
    var retryAt: Timestamp?

    static let mostAttempts = 8

    init(id: String, at: Timestamp, actor: String, request: JSON) {
        self.id = id
        self.at = at
        self.actor = actor
        self.request = request
        changedAt = at
        retryAt = at
    }

    /// Reads a request: `title`, and optionally `description`, `service`, `analysis_id`, an object `parameters`, and
    /// the context of a pipeline. If the pipeline sends an analysis with recommendations as `improvement_request`, what
    /// is missing comes from there.
    static func checked(_ json: JSON) throws(JSONFieldError) -> JSON {
        var fields = try JSONFields(json)
        let context = try PipelineContext(&fields)
        let wanted = context["improvement_request"]
        let title = try fields.optionalText("title", limit: 300)
        guard let title = title ?? wanted.map({ Self.title(of: $0, context) }) else {
            throw fields.fault("title", "is required")
        }
        var members = [JSON.Member("title", .string(title))]
        func add(_ name: String, _ text: String?) {
            if let text { members.append(.init(name, .string(text))) }
        }
        add("description", try fields.optionalText("description", limit: 10_000))
        let advice = wanted?["recommendations"]?.elements ?? []
        let services = Self.distinct(advice.compactMap { $0["service"]?.text })
        add("service", try fields.optionalText("service", limit: 200) ?? (services.count == 1 ? services[0] : nil))
        add("analysis_id", try fields.optionalText("analysis_id", limit: 100))
        if let parameters = fields.optional("parameters") {
            guard parameters.members != nil else { throw fields.fault("parameters", "expected an object") }
            members.append(.init("parameters", parameters))
        } else if !advice.isEmpty {
            add(
                "priority",
                Recommendation.Severity.allCases.last { severity in
                    advice.contains { $0["priority"]?.text == severity.rawValue }
                }?.rawValue)
            let constraints = advice.flatMap { $0["constitutional_constraints"]?.elements ?? [] }.compactMap(\.text)
            members.append(
                .init("constitutional_constraints", .array(Self.distinct(constraints).map(JSON.string))))
        }
        try fields.finish()
        return .object(members + context.members)
    }

    private static func title(of request: JSON, _ context: PipelineContext) -> String {
        let deployment = context["deployment_id"] ?? context["deployment_context"]?["deployment_id"]
        let name = deployment?.text ?? deployment?.integer.map { "\($0)" }
        let subject = name.map { "deployment \($0)" } ?? "a deployment"
        let advice = (request["recommendations"]?.elements ?? []).compactMap { $0["title"]?.text }
        return String("\(subject): \(advice.isEmpty ? "improvement" : advice.joined(separator: "; "))".prefix(300))
    }

    private static func distinct(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// An attempt to deliver it ended. The delays between attempts are 1, 2, 4 … 60 s.
    mutating func attempted(_ failure: String?, isLasting: Bool = false, at now: Timestamp) {
        guard status == .queued else { return }
        attempts += 1
        changedAt = now
        guard let failure else {
            (status, detail, retryAt) = (.delegated, "", nil)
            return
        }
        detail = failure
        if isLasting || attempts >= Self.mostAttempts {
            (status, retryAt) = (.undeliverable, nil)
        } else {
            retryAt = now + .milliseconds(min(60_000, 1000 << min(attempts - 1, 6)))
        }
    }

    /// The executor reported a status. Returns why it is not valid.
    mutating func reported(_ status: Status, _ detail: String, at now: Timestamp) -> String? {
        guard [.running, .succeeded, .failed].contains(status) else {
            return "an executor reports running, succeeded or failed"
        }
        guard !self.status.isFinal || self.status == .undeliverable else {
            return "the status is already \(self.status.rawValue)"
        }
        (self.status, self.detail, changedAt, retryAt) = (status, detail, now, nil)
        return nil
    }

    var json: JSON {
        [
            "id": .string(id), "improvement_id": .string(id),
            "time": .string(RFC3339.text(milliseconds: at.milliseconds)), "actor": .string(actor),
            "status": .string(status.rawValue), "detail": .string(detail), "attempts": .integer(Int64(attempts)),
            "changed_at": .string(RFC3339.text(milliseconds: changedAt.milliseconds)),
            "retry_at": retryAt.map { .string(RFC3339.text(milliseconds: $0.milliseconds)) } ?? .null,
            "request": request,
        ]
    }

    init?(_ json: JSON) {
        func time(_ name: String) -> Timestamp? {
            json[name]?.text.flatMap { RFC3339.milliseconds(parsing: $0) }.map(Timestamp.init(milliseconds:))
        }
        guard let id = json["id"]?.text, let at = time("time"), let actor = json["actor"]?.text,
            let request = json["request"], let status = json["status"]?.text.flatMap(Status.init),
            let attempts = json["attempts"]?.integer, let changed = time("changed_at")
        else { return nil }
        self.init(id: id, at: at, actor: actor, request: request)
        self.status = status
        self.attempts = Int(attempts)
        detail = json["detail"]?.text ?? ""
        changedAt = changed
        retryAt = time("retry_at")
    }
}
