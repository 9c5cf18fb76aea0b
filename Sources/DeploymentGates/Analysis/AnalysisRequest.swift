internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// What an analysis is to compare, read strictly from the body of a request.
struct AnalysisRequest: Equatable {
    /// How the two sides differ.
    enum Comparison: Equatable {
        /// Two versions at the same time.
        case deployment
        /// The same series before and after a moment.
        case change(at: Timestamp, settle: Milliseconds)
    }

    /// What is compared with what.
    var comparison: Comparison
    /// The service; `nil` where labels alone say what is meant.
    var service: String?
    /// Labels of both sides' series.
    var match: Labels
    /// What is compared and how it is judged.
    var profile: GateProfile
    /// The end of the window.
    var end: Timestamp
    /// What the caller wants to find again: commit, version, URL.
    var annotations: Labels

    /// Reads `json`.
    ///
    /// - Parameter isDeployment: whether two versions are compared, or before and after.
    init(_ json: JSON, isDeployment: Bool, profiles: [GateProfile], now: Timestamp) throws(JSONFieldError) {
        var fields = try JSONFields(json)
        let name = try fields.optionalText("profile", limit: 100)
        guard var profile = name.map({ name in profiles.first { $0.name == name } }) ?? profiles.first else {
            throw fields.fault("profile", "there is none; known are \(profiles.map(\.name).joined(separator: ", "))")
        }
        service = try fields.optionalText("service", limit: 200)
        match = try fields.labels("match") ?? .empty
        annotations = try fields.labels("annotations") ?? .empty
        for name in ["stable", "candidate"] where !isDeployment && fields.optional(name) != nil {
            throw fields.fault(name, "before and after have the same labels: say them in match")
        }
        try profile.read(&fields)
        if isDeployment {
            end = try fields.moment("end", now: now) ?? now
            comparison = .deployment
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
                throw fields.fault("window", "the time after the change ends in the future")
            }
        }
        try fields.finish()
        self.profile = profile
    }

    /// Where the observations of both sides come from.
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
            // Before and after, labels of versions would only hide one of them.
            return (arm(.empty, through: time), arm(.empty, through: end))
        }
    }
}

extension JSONFields {
    /// A moment that is not in the future: seconds since the epoch, or a date of RFC 3339.
    mutating func moment(_ name: String, now: Timestamp) throws(JSONFieldError) -> Timestamp? {
        guard let value = optional(name) else { return nil }
        let milliseconds: Int64?
        if let seconds = value.number ?? value.text.flatMap({ Double($0) }), seconds.magnitude < 1e12 {
            milliseconds = Int64((seconds * 1000).rounded())
        } else {
            milliseconds = value.text.flatMap { RFC3339.milliseconds(parsing: $0) }
        }
        guard let milliseconds, milliseconds >= 0 else {
            throw fault(name, "expected seconds since the epoch or a date of RFC 3339")
        }
        guard milliseconds <= now.milliseconds else { throw fault(name, "lies in the future") }
        return Timestamp(milliseconds: milliseconds)
    }
}
