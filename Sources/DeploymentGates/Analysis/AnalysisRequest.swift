internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// The parameters of an analysis, read strictly from a request body.
struct AnalysisRequest: Equatable {
    /// How the two sides differ.
    enum Comparison: Equatable {
        /// Two versions at the same time.
        case deployment
        /// The same series before and after a time.
        case change(at: Timestamp, settle: Milliseconds)
    }

    /// The kind of comparison.
    var comparison: Comparison
    /// The service; `nil` if labels alone select the series.
    var service: String?
    /// Labels that the series of both sides have.
    var match: Labels
    /// The metrics to compare and the criteria.
    var profile: GateProfile
    /// The end of the window.
    var end: Timestamp
    /// Data that the caller wants in the record: commit, version, URL.
    var annotations: Labels
    /// A pipeline's description of its deployment.
    var context: PipelineContext
    /// The look of a watch; `nil` for a single analysis.
    var look: WatchLook?

    /// Reads `json`.
    ///
    /// - Parameter isDeployment: true to compare two versions, false to compare before and after.
    init(_ json: JSON, isDeployment: Bool, profiles: [GateProfile], now: Timestamp) throws(JSONFieldError) {
        var fields = try JSONFields(json)
        let name = try fields.optionalText("profile", limit: 100)
        guard var profile = name.map({ name in profiles.first { $0.name == name } }) ?? profiles.first else {
            let known = profiles.map(\.name).joined(separator: ", ")
            throw fields.fault("profile", "unknown profile, expected one of \(known)")
        }
        service = try fields.optionalText("service", limit: 200)
        match = try fields.labels("match") ?? .empty
        annotations = try fields.labels("annotations") ?? .empty
        context = try PipelineContext(&fields)
        for name in ["stable", "candidate"] where !isDeployment && fields.optional(name) != nil {
            throw fields.fault(name, "not allowed, because before and after have the same labels; use match")
        }
        try profile.read(&fields)
        if isDeployment {
            end = try fields.moment("end", now: now) ?? now
            comparison = .deployment
            if let value = fields.optional("watch") {
                for name in ["end", "window"] where fields.optional(name) != nil {
                    throw fields.fault(name, "not allowed, because the watch determines it")
                }
                let look = try WatchLook(value, path: fields.path(of: "watch"), now: now)
                self.look = look
                end = look.end
                profile.window = max(look.window, .seconds(1))
            }
            guard profile.stable != profile.candidate else {
                throw fields.fault("candidate", "has the same labels as the stable version")
            }
        } else {
            let settle = try fields.duration("settle", in: .zero...(.hours(24))) ?? .zero
            guard let change = try fields.moment("change_time", now: now) else {
                throw fields.fault("change_time", "is required")
            }
            comparison = .change(at: change, settle: settle)
            end = change + settle + profile.window
            guard end <= now else {
                throw fields.fault("window", "the window after the change ends in the future")
            }
        }
        try fields.finish()
        self.profile = profile
    }

    /// The series and windows of both sides.
    var arms: (stable: GateArm, candidate: GateArm) {
        let service = service.map { [Label(profile.serviceLabel, $0)] } ?? []
        let common = match.pairs.map { Label($0.name, $0.value) } + service
        func arm(_ labels: Labels, through: Timestamp) -> GateArm {
            let own = labels.pairs.map { Label($0.name, $0.value) }
            let names = Set(own.map(\.name))
            return GateArm(
                labels: Labels(own + common.filter { !names.contains($0.name) }),
                window: TimeSlices(from: through - profile.window, through: through))
        }
        switch comparison {
        case .deployment: return (arm(profile.stable, through: end), arm(profile.candidate, through: end))
        case .change(let time, _):
            // Before and after a change, labels of versions would hide one side.
            return (arm(.empty, through: time), arm(.empty, through: end))
        }
    }
}

extension JSONFields {
    /// A time that is not in the future: seconds since the epoch, or an RFC 3339 date.
    mutating func moment(_ name: String, now: Timestamp) throws(JSONFieldError) -> Timestamp? {
        guard let value = optional(name) else { return nil }
        let milliseconds: Int64?
        if let seconds = value.number ?? value.text.flatMap({ Double($0) }), seconds.magnitude < 1e12 {
            milliseconds = Int64((seconds * 1000).rounded())
        } else {
            milliseconds = value.text.flatMap { RFC3339.milliseconds(parsing: $0) }
        }
        guard let milliseconds, milliseconds >= 0 else {
            throw fault(name, "expected seconds since the epoch or an RFC 3339 date")
        }
        guard milliseconds <= now.milliseconds else { throw fault(name, "is in the future") }
        return Timestamp(milliseconds: milliseconds)
    }
}
