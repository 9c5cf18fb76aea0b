internal import CurlHTTP
internal import Exposition
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Synchronization

extension ScrapeRunner {
    /// Limits the work of storing a scrape.
    enum Effort {
        /// Only work that does not delay the other targets of the same thread.
        case quick
        case whole
    }

    /// The limits of quick work. The longest body allowed takes a thread some milliseconds.
    private enum Quick {
        static let bodyBytes = 1 << 20
        /// For a first body: a target with a few series does not wait for the first million series of another.
        static let unknownBytes = 16 << 10
        /// Creating a series takes a hundred times as long as appending to a known one.
        static let newSeries = 64
        /// Staleness markers of a failed scrape.
        static let liveSeries = 20_000
        static let nanoseconds: Int64 = 20_000_000
        /// Targets that take longer use the thread for slow targets.
        static let slowNanoseconds: Int64 = 500_000_000
        static let slowBytes = 8 << 20
    }

    private struct Stored {
        var outcome: Result<TargetWriter.Outcome, StoreError>
        var lane: LaneID
        var bodyBytes: Int
    }

    /// Passes a scrape to the workers.
    func handOver(_ hand: ScrapeInHand, _ answer: consuming ScrapeAnswer) {
        let pace = hand.target.state.withLock { $0.pace }
        let isSlow = pace == .slow || answer.bodyBytes > Quick.slowBytes
        metrics.handedOver.add()
        (isSlow ? slowWork : work).send(.scraped(hand, answer))
    }

    /// A worker thread: stores scrapes until `work` is closed.
    func run(_ work: Mailbox<Work>) {
        while case .message(let item) = work.receive() {
            // A scrape interrupted by the stop says nothing about the target.
            if isStopping.load(ordering: .acquiring) { continue }
            switch item {
            case .scraped(let hand, var answer):
                if let actions = store(hand, &answer, .whole) { post(actions, hand.target) }
            case .end(let target, let time): end(target, at: time)
            case .probe(let pulse): pulse.answer()
            }
        }
    }

    /// Stores a scrape. Returns the next actions of the target's loop; `nil` if nothing was stored, because the effort
    /// does not allow it or the runner is stopping.
    func store(
        _ hand: ScrapeInHand, _ answer: inout ScrapeAnswer, _ effort: Effort
    ) -> [ScrapeLoop.Action]? {
        let taken = SystemClock.monotonicNanoseconds()
        let arrivedBytes = answer.bodyBytes
        let target = hand.target
        let (pool, configured, pace) = target.state.withLock { ($0.pool, $0.target, $0.pace) }
        if effort == .quick, answer.isSuccess {
            let limit = pace == .quick ? Quick.bodyBytes : pace == .unknown ? Quick.unknownBytes : 0
            if answer.bodyBytes > limit { return nil }
        }
        guard let stored = write(hand, &answer, pool, configured, effort) else { return nil }
        answer.settle(bodyBudget)
        metrics.bodyBytes.add(Double(stored.bodyBytes))
        var lastError = ""
        var refused = 0
        let ended = SystemClock.monotonicNanoseconds()
        switch stored.outcome {
        case .success(let outcome):
            metrics.samples.add(Double(outcome.scraped))
            refused = outcome.refused
            metrics.refusedSamples.add(Double(refused))
            lastError = outcome.failure?.description ?? ""
            onCommit(stored.lane, hand.time, ended)
        case .failure(let error):
            lastError = "cannot store the scrape: \(error)"
            logger.error("cannot store a scrape", ["target": target.identity.url, "error": error.description])
        }
        let duration = Double(ended - hand.began) / 1e9
        (lastError.isEmpty ? metrics.succeeded : metrics.failed).add()
        metrics.duration.observe(duration)
        let (actions, notes) = target.state.withLock { state in
            let notes = ScrapeNotes(
                after: state.health, refusedBefore: state.lastRefused, error: lastError, refused: refused)
            state.health = lastError.isEmpty ? .up : .down
            state.lastRefused = refused
            state.lastError = lastError
            state.lastScrape = hand.time
            state.lastDuration = duration
            state.pace = Self.pace(ended - taken, effort)
            if stored.bodyBytes > 0 { state.bodyBytes = arrivedBytes }
            return (state.loop.scrapeEnded(at: .now), notes)
        }
        if !lastError.isEmpty, let path = pool.pool.failureLog {
            ScrapeFailureLog.note(
                path, job: target.identity.pool, target: target.identity.url, reason: lastError)
        }
        if !notes.isSilent { log(notes, target, lastError, refused) }
        return actions
    }

    /// Changes are logged as warnings or information, repetitions at level debug.
    private func log(_ notes: ScrapeNotes, _ target: RunningTarget, _ lastError: String, _ refused: Int) {
        let (job, url) = (target.identity.pool, target.identity.url)
        switch notes.scrape {
        case .failsFirst: logger.warn("scrape failed", ["job": job, "target": url, "error": lastError])
        case .failsAgain: logger.debug("scrape failed", ["job": job, "target": url, "error": lastError])
        case .succeedsAgain: logger.info("scrape succeeds again", ["job": job, "target": url])
        case .succeeds: break
        }
        let (some, reason) = ("samples of a scrape are not stored", "duplicate, out of order or too far in the future")
        switch notes.refusal {
        case .first: logger.warn(some, ["job": job, "target": url, "samples": refused, "reason": reason])
        case .again: logger.debug(some, ["job": job, "target": url, "samples": refused, "reason": reason])
        case .none: break
        }
    }

    /// A worker first gets bodies in which every line is new. Their times do not predict those of later bodies.
    private static func pace(_ nanoseconds: Int64, _ effort: Effort) -> RunningTarget.Pace {
        if nanoseconds > Quick.slowNanoseconds { return .slow }
        return effort == .whole || nanoseconds <= Quick.nanoseconds ? .quick : .unhurried
    }

    /// `nil` if nothing was written.
    private func write(
        _ hand: ScrapeInHand, _ answer: inout ScrapeAnswer, _ pool: RunningPool, _ target: ScrapeTarget,
        _ effort: Effort
    ) -> Stored? {
        let fetched: Result<TargetWriter.Fetched, ScrapeFailure>
        switch open(&answer, hand.target, pool.pool, effort) {
        case .exposed(let body, let format):
            fetched = .success(
                TargetWriter.Fetched(
                    body: body, format: format, constitutionalHash: answer[ConstitutionCheck.header]))
        case .refused(let failure): fetched = .failure(failure)
        case .tooLong: return nil
        }
        // A scrape interrupted by the stop says nothing about the target.
        if isStopping.load(ordering: .acquiring) { return nil }
        let rules = pool.rules(for: target, settings)
        let stored = write(fetched, of: hand, isSuccess: answer.isSuccess, rules, effort)
        if case .success(let opened) = consume fetched { answer.putBack(opened.body) }
        return stored
    }

    private func write(
        _ fetched: Result<TargetWriter.Fetched, ScrapeFailure>, of hand: ScrapeInHand, isSuccess: Bool,
        _ rules: SampleRules, _ effort: Effort
    ) -> Stored? {
        let bodyBytes = if case .success(let opened) = fetched { opened.body.count } else { 0 }
        let limits = ReadingLimits(
            samples: settings.maximumSeriesPerTarget, newSeries: effort == .quick ? Quick.newSeries : .max,
            isCancelled: { [self] in isStopping.load(ordering: .acquiring) })
        func write(_ writer: TargetWriter) -> Stored? {
            do throws(StoreError) {
                let outcome = try writer.write(fetched, at: hand.time, rules: rules, limits: limits) {
                    Double(SystemClock.monotonicNanoseconds() - hand.began) / 1e9
                }
                if outcome.isPostponed { return nil }
                return Stored(outcome: .success(outcome), lane: writer.laneID, bodyBytes: bodyBytes)
            } catch {
                return Stored(outcome: .failure(error), lane: writer.laneID, bodyBytes: bodyBytes)
            }
        }
        switch effort {
        case .whole: return hand.target.writer.withLock { write($0) }
        case .quick:
            // A reader of the metadata may hold the lock for a long time.
            return hand.target.writer.withLockIfAvailable { writer in
                !isSuccess && writer.liveCount > Quick.liveSeries ? nil : write(writer)
            } ?? nil
        }
    }

    private func open(
        _ answer: inout ScrapeAnswer, _ target: RunningTarget, _ pool: ScrapePool, _ effort: Effort
    ) -> ScrapeAnswer.Body {
        if let failure = answer.failure {
            return .refused(ScrapeFailure(failure.message, isTooLong: failure.code == .bodyTooLarge))
        }
        guard answer.isSuccess else { return .refused(ScrapeFailure("server returned HTTP status \(answer.status)")) }
        let choice = choose(answer["Content-Type"], target, pool)
        guard let format = choice.format else { return .refused(ScrapeFailure(choice.message)) }
        let limit = bodyLimit(pool)
        let body = answer.open(
            format, limit: effort == .quick ? min(limit, Quick.bodyBytes) : limit, budget: bodyBudget,
            isCancelled: { isStopping.load(ordering: .acquiring) })
        guard effort == .whole, case .tooLong = body else { return body }
        return .refused(ScrapeFailure("the decompressed body exceeds the limit of \(limit) bytes", isTooLong: true))
    }

    private func choose(_ header: String?, _ target: RunningTarget, _ pool: ScrapePool) -> ContentType.Choice {
        target.state.withLock { state in
            if let known = state.format, known.header == header { return known.choice }
            let choice = ContentType.choose(header, fallback: pool.fallback)
            state.format = RunningTarget.KnownFormat(header: header, choice: choice)
            return choice
        }
    }

    private func end(_ target: RunningTarget, at time: Timestamp) {
        do throws(StoreError) {
            try target.writer.withLock { writer throws(StoreError) in try writer.end(at: time) }
        } catch {
            logger.error("cannot end series", ["target": target.identity.url, "error": error.description])
        }
        commands.send(.ended(target))
    }
}
