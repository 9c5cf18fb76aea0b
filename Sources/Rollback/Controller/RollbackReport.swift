public import JSON
internal import MetricModel

/// The report of a finished rollback: causes, steps with their times, and validation.
public struct RollbackReport: Hashable, Sendable {
    /// The plan.
    public var plan: String
    /// The fencing number when it was finished.
    public var epoch: UInt64
    /// The rollback.
    public var rollback: RollbackRecord
    /// The work that is left to people, as far as it is known.
    public private(set) var tasks: [RollbackTask]

    /// A report whose tasks are all open.
    package init(plan: String, epoch: UInt64, rollback: RollbackRecord) {
        self.plan = plan
        self.epoch = epoch
        self.rollback = rollback
        tasks = RollbackTask.all(of: rollback)
    }

    /// A person has changed a task. Returns false if the rollback has no such task.
    @discardableResult
    package mutating func apply(_ change: RollbackTask.Change, by: String, at: Instant) -> Bool {
        guard change.rollback == rollback.id,
            let index = tasks.firstIndex(where: { $0.service == change.service && $0.kind == change.kind })
        else { return false }
        tasks[index].apply(change, by: by, at: at)
        return true
    }

    /// When the scrape that proved the violation was committed, or when it was decided if there was no such scrape.
    public var start: Instant? {
        (rollback.timeline.first { $0.step == "violated" } ?? rollback.timeline.first { $0.step == "decided" })?.at
    }

    /// Milliseconds from ``start`` to the last entry of `step`.
    public func milliseconds(to step: String) -> Double? {
        guard let start, let end = rollback.timeline.last(where: { $0.step == step })?.at else { return nil }
        return end.milliseconds(since: start)
    }

    /// The report as JSON.
    public var json: JSON {
        let steps = ["decided", "intended", "shifted", "verified", "isolated", "notified", "validated"]
        return [
            "id": .string(rollback.id), "plan": .string(plan),
            "generation": .integer(Int64(clamping: rollback.generation)), "epoch": .integer(Int64(clamping: epoch)),
            "severity": .string(rollback.severity), "services": .array(rollback.services.map(JSON.string)),
            "valid": rollback.verdict.map { .bool($0.isValid) } ?? .null,
            "validation": rollback.verdict.map { .string($0.detail) } ?? .null,
            "effect": rollback.verdict.map { .string($0.isOnlyStored ? "unknown" : "read") } ?? .null,
            "causes": .array(rollback.causes.map(\.json)),
            "incident": RollbackIncident(rollback, plan: plan).json,
            "tasks": .array(tasks.map(\.json)),
            "milliseconds": .object(
                steps.compactMap { step in milliseconds(to: step).map { JSON.Member(step, .number(Self.rounded($0))) } }
            ),
            "timeline": .array(
                rollback.timeline.map { entry in
                    [
                        "time": .string(RFC3339.text(nanoseconds: entry.at.nanoseconds)),
                        "ms": start.map { .number(Self.rounded(entry.at.milliseconds(since: $0))) } ?? .null,
                        "step": .string(entry.step), "service": entry.service.map(JSON.string) ?? .null,
                        "detail": .string(entry.detail),
                    ]
                }),
        ]
    }

    /// The report as Markdown.
    public var markdown: String {
        var lines = ["# Rollback \(rollback.id)", ""]
        let outcome = rollback.verdict.map { verdict in
            if verdict.isOnlyStored { return verdict.isValid ? "stored, effect unknown" : "not validated" }
            return verdict.isValid ? "completed and validated" : "completed, not validated"
        }
        lines.append("Plan \(plan), generation \(rollback.generation): **\(outcome ?? "completed")**.")
        if let detail = rollback.verdict?.detail { lines.append("Validation: \(Self.line(detail)).") }
        let notified = rollback.timeline.filter { $0.step == "notified" }.map(\.detail)
        lines.append(
            "Notified: "
                + (notified.isEmpty
                    ? "no receiver has accepted a message yet." : notified.joined(separator: ", ") + "."))
        lines += ["", "## Evidence", ""]
        for cause in rollback.causes { lines += Self.evidence(cause) }
        lines += ["", "## At once", ""]
        lines += RollbackIncident(rollback, plan: plan).tasks.map { "- [ ] \(Self.line($0))" }
        lines += ["", "## Tasks", ""]
        lines += tasks.map { Self.line($0.markdown) }
        lines += ["", "## Timeline", "", "| ms | time | step | service | detail |", "|---:|---|---|---|---|"]
        for entry in rollback.timeline {
            let offset = start.map { Self.text(entry.at.milliseconds(since: $0)) } ?? ""
            let time = RFC3339.text(milliseconds: entry.at.timestamp.milliseconds)
            lines.append(
                "| \(offset) | \(time) | \(entry.step) | \(entry.service ?? "") | \(Self.cell(entry.detail)) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func evidence(_ cause: RollbackRecord.Cause) -> [String] {
        guard case .trip(let trip) = cause else { return ["- \(line(cause.summary))"] }
        let samples = trip.samples.map { sample in
            "  - \(RFC3339.text(milliseconds: sample.time.milliseconds)): \(FloatText.general(sample.value))"
        }
        return [
            "- **\(line(trip.name))** (\(line(trip.severity))), rule `\(line(trip.rule))`, SHA-256 `\(line(trip.ruleHash))`",
            "  - `\(line(trip.expression))` \(trip.condition), element `\(line(trip.labels.description))`",
        ] + samples
    }

    /// External text must not begin a new line.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private static func cell(_ text: String) -> String {
        line(text).split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }

    private static func rounded(_ milliseconds: Double) -> Double { (milliseconds * 1000).rounded() / 1000 }

    private static func text(_ milliseconds: Double) -> String { FloatText.plain(rounded(milliseconds)) }
}
