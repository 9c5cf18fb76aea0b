public import Instrumentation
public import JSON
public import MetricModel
public import Rollback
public import Runtime
internal import Synchronization

/// Handles the requests of delivery pipelines: analyses, improvements, checkpoints, bottlenecks. May be called from any
/// thread. A call blocks while the store, the routers or the disk work. Its owner, the composition root, must `stop`
/// it.
public final class GateRunner: Sendable {
    /// Settings and dependencies.
    public struct Settings: Sendable {
        /// The directory for records; created if it is missing.
        public var directory: String
        /// Access to samples.
        public var data: GateData
        /// Access to rollouts, for checkpoints.
        public var rollouts: GateRollouts
        /// Sends an event to the history.
        public var event: @Sendable (RollbackEvent) -> Void
        /// The log.
        public var logger: Logger
        /// The registry for its metrics.
        public var registry: Registry
        /// The current time.
        public var now: @Sendable () -> Timestamp

        /// Settings of a running service.
        public init(
            directory: String, data: GateData, rollouts: GateRollouts,
            event: @escaping @Sendable (RollbackEvent) -> Void = { _ in }, logger: Logger = .silent,
            registry: Registry = Registry(),
            now: @escaping @Sendable () -> Timestamp = { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }
        ) {
            self.directory = directory
            self.data = data
            self.rollouts = rollouts
            self.event = event
            self.logger = logger
            self.registry = registry
            self.now = now
        }
    }

    /// The maximum number of records per kind.
    static let recordLimit = 500
    /// The maximum number of concurrent requests. Others are refused.
    private static let mostAtOnce = 4

    let settings: Settings
    let configuration: Mutex<GateConfiguration>
    let analyses: GateArchive
    let improvements: GateArchive
    let checkpoints: GateArchive
    private let delivery: ImprovementDelivery
    private let executor: Executor
    private let undeliverable: Undeliverable
    private let running = Atomic<Int>(0)
    private let verdicts: [GateVerdict: Counter]
    /// From `start` to `stop`.
    let orchestrator = Mutex<OrchestrationRunner?>(nil)

    /// Opens the records, and resumes improvements that were not delivered.
    public init(_ configuration: GateConfiguration, _ settings: Settings) throws(GateArchiveError) {
        self.settings = settings
        self.configuration = Mutex(configuration)
        let directory = settings.directory
        analyses = try GateArchive(directory: "\(directory)/analyses", limit: Self.recordLimit)
        let improvements = try GateArchive(directory: "\(directory)/improvements", limit: Self.recordLimit)
        self.improvements = improvements
        checkpoints = try GateArchive(directory: "\(directory)/checkpoints", limit: Self.recordLimit)
        verdicts = Dictionary(
            uniqueKeysWithValues: GateVerdict.allCases.map { verdict in
                let counter = settings.registry.counter(
                    "tribune_gate_analyses_total", "Analyses of deployment gates.",
                    labels: ["verdict": verdict.rawValue])
                return (verdict, counter)
            })
        for path in analyses.damaged + improvements.damaged + checkpoints.damaged {
            settings.logger.warn("damaged gate record renamed", ["file": path])
        }
        let logger = settings.logger
        let undeliverable = Undeliverable()
        self.undeliverable = undeliverable
        let executor = Executor(configuration.executor)
        self.executor = executor
        delivery = ImprovementDelivery(executor: { executor.current }) { improvement in
            // A report of the executor in the meantime is newer than the result of the attempt.
            let known = improvements.record(improvement.id).flatMap(Improvement.init)
            if let known, known.status != .queued { return }
            do throws(GateArchiveError) {
                try improvements.put(improvement.id, improvement.json)
            } catch {
                logger.error("cannot write improvement record", ["error": error])
            }
            if improvement.status == .undeliverable {
                logger.warn(
                    "executor did not accept improvement",
                    ["id": improvement.id, "reason": improvement.detail])
                undeliverable.happened(improvement)
            }
        }
    }

    /// Starts delivering improvements.
    public func start() throws(WorkerThread.StartError) {
        let waiting = improvements.newest(Self.recordLimit).compactMap(Improvement.init).filter { $0.status == .queued }
        undeliverable.handler = { [weak self] improvement in
            guard let self else { return }
            self.reported(improvement, at: self.settings.now())
        }
        try delivery.start(waiting.reversed())
        let runner = makeOrchestrator()
        try runner.start()
        orchestrator.withLock { $0 = runner }
    }

    /// Stops the threads.
    public func stop() {
        orchestrator.withLock { $0.take() }?.stop()
        delivery.stop()
    }

    /// Applies a reloaded configuration.
    public func reload(_ configuration: GateConfiguration) {
        self.configuration.withLock { $0 = configuration }
        executor.current = configuration.executor
        orchestrator.withLock { $0 }?.reload(configuration.orchestration)
    }

    /// Handles `request`. Its caller has already been authenticated.
    public func respond(to request: GateRequest) -> Result<JSON, GateRefusal> {
        limited { () throws(GateRefusal) in try carriedOut(request) }
    }

    /// Does `work` unless too much is in progress.
    func limited(_ work: () throws(GateRefusal) -> JSON) -> Result<JSON, GateRefusal> {
        let busy = running.wrappingAdd(1, ordering: .relaxed).newValue > Self.mostAtOnce
        defer { running.wrappingSubtract(1, ordering: .relaxed) }
        if busy { return .failure(GateRefusal(.unavailable, "\(Self.mostAtOnce) requests are in progress; retry")) }
        do throws(GateRefusal) { return .success(try work()) } catch { return .failure(error) }
    }

    private func carriedOut(_ request: GateRequest) throws(GateRefusal) -> JSON {
        switch (request.verb, request.kind) {
        case (.create, .deployment): try analyze(request, isDeployment: true)
        case (.create, .performanceChange): try analyze(request, isDeployment: false)
        case (.create, .improvement): try improve(request)
        case (.create, .checkpoint): try checkpoint(request)
        case (.report(let id), .improvement): try report(id, request)
        case (.restore(let id), .checkpoint): try restore(id, request)
        case (.read(let id), let kind): try record(id, kind)
        case (.list(let limit), let kind): list(kind, limit)
        case (.report, _), (.restore, _): throw GateRefusal(.notFound, "no such endpoint")
        }
    }

    // MARK: records

    private func archive(_ kind: GateRequest.Kind) -> GateArchive {
        switch kind {
        case .deployment, .performanceChange: analyses
        case .improvement: improvements
        case .checkpoint: checkpoints
        }
    }

    func record(_ id: String, _ kind: GateRequest.Kind) throws(GateRefusal) -> JSON {
        guard let record = archive(kind).record(id), isOf(kind, record) else {
            throw GateRefusal(.notFound, "no record \(MetricText.quoted(id))")
        }
        return record
    }

    private func list(_ kind: GateRequest.Kind, _ limit: Int) -> JSON {
        .array(Array(archive(kind).newest(Self.recordLimit).filter { isOf(kind, $0) }.prefix(limit)))
    }

    /// Both kinds of analyses are stored together, but each is returned only under its own path.
    private func isOf(_ kind: GateRequest.Kind, _ record: JSON) -> Bool {
        switch kind {
        case .deployment: record["kind"]?.text == "deployment"
        case .performanceChange: record["kind"]?.text == "performance_change"
        case .improvement, .checkpoint: true
        }
    }

    /// A new id. Ids sort by time.
    func newID(_ prefix: String, at now: Timestamp) -> String {
        let time = String(now.milliseconds, radix: 36)
        let random = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        return "\(prefix)-\(time)-\(random)"
    }

    func keep(_ id: String, _ json: JSON, in archive: GateArchive) throws(GateRefusal) {
        do throws(GateArchiveError) { try archive.put(id, json) } catch {
            settings.logger.error("cannot write gate record", ["error": error])
            throw GateRefusal(.unavailable, "cannot write the record: \(error.reason)")
        }
    }

    func parsed<Value>(
        _ request: GateRequest, _ read: (JSON) throws(JSONFieldError) -> Value
    ) throws(GateRefusal) -> Value {
        guard request.body.count <= GateRequest.bodyLimit else {
            throw GateRefusal(.invalid, "body: larger than \(GateRequest.bodyLimit) bytes")
        }
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: request.body) } catch {
            throw GateRefusal(.invalid, "body: \(error)")
        }
        do throws(JSONFieldError) { return try read(json) } catch {
            throw GateRefusal(.invalid, error.field.isEmpty ? "body: \(error.message)" : error.description)
        }
    }

    func record(_ kind: RollbackEvent.Kind, _ subject: String, _ body: JSON, at now: Timestamp) {
        settings.event(
            RollbackEvent(
                at: Instant(nanoseconds: now.milliseconds * 1_000_000), kind: kind, subject: subject, body: body))
    }

    // MARK: analyses

    private func analyze(_ request: GateRequest, isDeployment: Bool) throws(GateRefusal) -> JSON {
        let now = settings.now()
        if !isDeployment, let compared = try snapshotComparison(request, at: now) {
            let context = try parsed(request) { json throws(JSONFieldError) in
                var fields = try JSONFields(json)
                return try PipelineContext(&fields)
            }
            return try keepAnalysis(advised(compared, context, request, at: now), at: now)
        }
        let profiles = configuration.withLock(\.profiles)
        let wanted = try parsed(request) { json throws(JSONFieldError) in
            let wanted = try AnalysisRequest(json, isDeployment: isDeployment, profiles: profiles, now: now)
            for (index, metric) in wanted.profile.metrics.enumerated() {
                for (field, text) in metric.source.selectors {
                    if case .failure(let fault) = settings.data.matchers(text) {
                        throw JSONFieldError(field: "metrics[\(index)].\(field)", message: fault.description)
                    }
                }
            }
            return wanted
        }
        let analysis = Analysis.run(
            wanted, id: newID("analysis", at: now), at: now, actor: request.actor, data: settings.data)
        guard !wanted.context.members.isEmpty else { return try keepAnalysis(analysis.json, at: now) }
        return try keepAnalysis(advised(analysis.json, wanted.context, request, at: now), at: now)
    }

    /// Stores the record of an analysis and counts it.
    private func keepAnalysis(_ json: JSON, at now: Timestamp) throws(GateRefusal) -> JSON {
        try keep(json["id"]?.text ?? "", json, in: analyses)
        if let verdict = json["verdict"]?.text.flatMap(GateVerdict.init) { verdicts[verdict]?.add() }
        let subject = json["service"]?.text ?? json["profile"]?.text ?? ""
        record(.decision, subject, .object([.init("gate", json)]), at: now)
        return json
    }

    // MARK: improvements

    private func improve(_ request: GateRequest) throws(GateRefusal) -> JSON {
        let body = try parsed(request) { json throws(JSONFieldError) in try Improvement.checked(json) }
        if let id = body["analysis_id"]?.text, analyses.record(id) == nil {
            throw GateRefusal(.invalid, "analysis_id: no such analysis")
        }
        return try submit(body, actor: request.actor, at: settings.now()).json
    }

    /// Stores an improvement, and queues it for the executor.
    func submit(_ body: JSON, actor: String, at now: Timestamp) throws(GateRefusal) -> Improvement {
        guard configuration.withLock(\.executor) != nil else {
            throw GateRefusal(.conflict, "no executor is configured (gates.executor)")
        }
        let improvement = Improvement(id: newID("improvement", at: now), at: now, actor: actor, request: body)
        try keep(improvement.id, improvement.json, in: improvements)
        // An improvement that does not fit in the queue stays on disk. The next start resumes it.
        guard delivery.deliver(improvement) else {
            throw GateRefusal(.unavailable, "too many improvements are waiting; retry")
        }
        record(
            .decision, improvement.id,
            [
                "improvement": .string(improvement.id), "request": body,
                "actor": .string(actor),
            ], at: now)
        return improvement
    }

    private func report(_ id: String, _ request: GateRequest) throws(GateRefusal) -> JSON {
        let now = settings.now()
        guard var improvement = Improvement(try record(id, .improvement)) else {
            throw GateRefusal(.notFound, "no record \(MetricText.quoted(id))")
        }
        let (status, detail) = try parsed(request) { json throws(JSONFieldError) in
            var fields = try JSONFields(json)
            guard let status: Improvement.Status = try fields.optionalCase("status") else {
                throw fields.fault("status", "is required")
            }
            let detail = try fields.optionalText("detail") ?? ""
            try fields.finish()
            return (status, detail)
        }
        if let refusal = improvement.reported(status, detail, at: now) { throw GateRefusal(.conflict, refusal) }
        withdraw(id)
        try keep(id, improvement.json, in: improvements)
        reported(improvement, at: now)
        return improvement.json
    }

    /// No further attempt is made to deliver `id`.
    func withdraw(_ id: String) { delivery.withdraw(id) }

    /// Improvements that the executor did not accept.
    private final class Undeliverable: Sendable {
        /// A function in a mutex itself would be converted, and stored again, at each access.
        private struct Handler: Sendable {
            var call: (@Sendable (Improvement) -> Void)?
        }

        private let value = Mutex(Handler())

        var handler: (@Sendable (Improvement) -> Void)? {
            get { value.withLock { $0 }.call }
            set { value.withLock { $0.call = newValue } }
        }

        func happened(_ improvement: Improvement) { handler?(improvement) }
    }

    /// The current executor.
    private final class Executor: Sendable {
        private let value: Mutex<GateConfiguration.Executor?>

        init(_ executor: GateConfiguration.Executor?) { value = Mutex(executor) }

        var current: GateConfiguration.Executor? {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }
}
