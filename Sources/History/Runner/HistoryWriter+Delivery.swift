internal import Durable
internal import Instrumentation
internal import JSON
internal import MetricModel
internal import Runtime
internal import Synchronization
internal import TLS

extension HistoryWriter {
    /// The limit of records in one transaction.
    static let batchLimit = 1000

    /// Delivers the next records to the database. Returns their number, including damaged ones.
    func apply(_ session: inout Session, signing: Bool) throws(HistoryError) -> Int {
        let state = spool.state
        let position = applied
        let records = try session.reader.records(
            after: position, through: state.durable, in: state.segments, count: Self.batchLimit)
        // Without a record after the position, everything up to the newest durable one was damaged.
        guard let last = records.last?.sequence ?? (state.durable > position ? state.durable : nil) else {
            return 0
        }
        let payloads = payloads(of: records, after: position, through: last)
        let start = SystemClock.monotonicNanoseconds()
        let note = try session.ledger.apply(
            payloads, ofSpool: spool.directory.identity, from: position, through: last, to: &session.head,
            signer: signing ? session.signer : nil)
        let end = SystemClock.monotonicNanoseconds()
        metrics.duration.observe(Double(end - start) / 1e9)
        metrics.applied.add(Double(records.count))
        spool.discard(through: last, keeping: configuration.keptSpoolBytes)
        shared.withLock { shared in
            shared.applied = last
            shared.size = session.head.size
            shared.root = session.head.tree.root
            _ = shared.age(accepted: state.accepted, now: end)
        }
        for follower in followers.withLock({ $0 }) { follower.appended() }
        for times in payloads.compactMap(\.measurements.times) {
            session.dueHours.insert(Ledger.hour(of: times.lowerBound))
            session.dueHours.insert(Ledger.hour(of: times.upperBound))
        }
        if let failure = session.ledger.takePlatformFailure() {
            logger.warn("the platform's tables lack rows of this event", ["error": failure])
        }
        if let note { keep(note: note, size: session.head.size) }
        return Int(clamping: last - position)
    }

    /// The interval of rollups.
    private static let rollupInterval: Int64 = 60 * 1_000_000_000
    /// Limit of hours rolled up at once after a long outage.
    private static let rollupLimit = 1000

    /// Updates the hourly rollups of complete hours. Failures are retried in the next round.
    func rollUp(_ session: inout Session, now: Int64, atLeast interval: Int64 = rollupInterval) {
        guard now - session.rolledUp >= interval else { return }
        let isFirst = session.rolledUp < 0
        session.rolledUp = now
        let current = Ledger.hour(of: SystemClock.wallMilliseconds())
        do throws(HistoryError) {
            if isFirst, let last = try session.ledger.lastRollup() {
                // The last one may have been computed before its hour was complete.
                let hours = stride(from: last, to: current, by: 3_600_000).prefix(Self.rollupLimit)
                session.dueHours.formUnion(hours)
            }
            try session.ledger.store.prepareAhead(Month(containing: current))
            for hour in session.dueHours.sorted() where hour < current {
                try session.ledger.rollUp(hour: hour)
                session.dueHours.remove(hour)
            }
        } catch {
            logger.warn("rollups not updated", ["error": error.message])
        }
    }

    /// The contents of `records`, and events that name missing or unreadable records.
    private func payloads(
        of records: [RecordFrame.Record], after position: UInt64, through last: UInt64
    ) -> [SpoolPayload] {
        var payloads: [SpoolPayload] = []
        var expected = position + 1
        for record in records {
            if record.sequence > expected { payloads.append(damage(expected...record.sequence - 1, "unreadable")) }
            expected = record.sequence + 1
            do throws(HistoryError) {
                payloads.append(try SpoolPayload(decoding: record.payload))
            } catch {
                let file = spool.directory.setAside(record)
                payloads.append(damage(record.sequence...record.sequence, error.message, file: file))
            }
        }
        if expected <= last { payloads.append(damage(expected...last, "unreadable")) }
        return payloads
    }

    private func damage(_ records: ClosedRange<UInt64>, _ reason: String, file: String? = nil) -> SpoolPayload {
        logger.error(
            "damaged spool records stored separately",
            ["first": records.lowerBound, "last": records.upperBound, "error": reason])
        metrics.damaged.add(Double(records.count))
        let event = LedgerEvent(
            milliseconds: SystemClock.wallMilliseconds(), kind: .damage, subject: "spool",
            body: [
                "file": file.map(JSON.string) ?? .null, "first": .integer(Int64(clamping: records.lowerBound)),
                "last": .integer(Int64(clamping: records.upperBound)), "reason": .string(reason),
                "spool": .string(spool.directory.identity),
            ])
        return SpoolPayload(event: PendingEvent(event))
    }

    /// Stores a checkpoint, also outside of the database, so that a shortened database is detected.
    func keep(note: String, size: Int64) {
        shared.withLock { $0.signedSize = size }
        do throws(HistoryError) {
            try keeper.memory.remember(note, size: size)
        } catch {
            logger.warn("last checkpoint stored in the database only", ["error": error.message])
        }
    }

    /// Drops old measurements. A month that is being read, or any other failure, is retried in the next round.
    func retain(_ session: inout Session) {
        guard let retention = configuration.retention else { return }
        let now = SystemClock.wallMilliseconds()
        do throws(HistoryError) {
            let rows = try session.ledger.retain(
                from: Month(containing: now - retention.rawValue), now: now, head: &session.head)
            if rows > 0 { logger.info("old measurements dropped", ["rows": rows]) }
        } catch {
            logger.warn("old measurements not dropped, next attempt in an hour", ["error": error.message])
        }
    }
}
