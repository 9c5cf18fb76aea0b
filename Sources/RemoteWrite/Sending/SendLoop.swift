internal import Durable
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Scraper
internal import Synchronization

/// Reads the rows of the store and hands them to the senders of one receiver. Owned by the thread that calls
/// ``run(_:)``.
///
/// A portion is written to the journal before its first request is sent, and counts as delivered when the receiver has
/// taken or refused all its requests. After a crash, the portions in the journal are sent again, as the same requests.
final class SendLoop {
    /// The time between looks for new rows.
    private static let pollInterval = Milliseconds(rawValue: 100)
    /// Portions that are not delivered yet.
    private static let mostPortions = 4
    /// The time between writes of the journal that only move the delivered position on.
    private static let writeInterval = Milliseconds.seconds(2)
    /// Exemplars this long before the position are sent again after a restart.
    private static let exemplarOverlap: Int64 = 60_000

    /// A portion that is not delivered yet.
    private struct Open {
        var number: UInt64
        var portion: SendPortion
        var exemplarsThrough: Int64
    }

    private let context: SendShard.Context
    private let store: MetricStore
    private let rows: CommittedRows
    private let builder: RequestBuilder
    private let file: String?
    private let families: @Sendable () -> [MetricMetadata]
    private let hold: ([UInt32: Int]?) -> Void
    private let outbox: Outbox

    private var planner: PortionPlanner
    private var calculation: ShardCalculation
    private var nextCalculation = SystemClock.monotonicNanoseconds() + Int64(ShardCalculation.period * 1e9)
    private var journal: SendJournal
    private var positions = SendPositions()
    private var open: [Open] = []
    private var number: UInt64 = 0
    /// Whether the journal's file has an older delivered position.
    private var isBehind = false
    private var nextWrite: Int64 = 0
    private var exemplarsTaken: UInt64 = 0
    private var resendsExemplarsAfter: Int64?
    private var nextMetadata: Int64 = 0

    /// - Parameters:
    ///   - file: the file of the journal; `nil` keeps it in memory.
    ///   - hold: called with the numbers of delivered rows by lane; with `nil` at the end.
    init(
        _ store: MetricStore, _ context: SendShard.Context, externalLabels: Labels, file: String?,
        families: @escaping @Sendable () -> [MetricMetadata], hold: @escaping ([UInt32: Int]?) -> Void
    ) throws(RelabelError) {
        self.store = store
        self.context = context
        self.file = file
        self.families = families
        self.hold = hold
        let outbox = Outbox(context)
        self.outbox = outbox
        builder = try RequestBuilder(context.settings, externalLabels: externalLabels, context.instruments) {
            outbox.hand($1, to: $0)
        }
        rows = CommittedRows(store)
        planner = PortionPlanner(context.settings.queue)
        calculation = ShardCalculation(context.settings.queue)
        journal = SendJournal(
            fingerprint: RequestBuilder.fingerprint(context.settings, externalLabels: externalLabels))
    }

    private var isStopping: Bool { context.isStopping.load(ordering: .acquiring) }

    /// Sends until everything stops.
    ///
    /// - Parameter present: the rows when the sender was configured.
    func run(_ present: [CommittedRows.LanePosition]) {
        begin(present)
        while !isStopping {
            adjustShards()
            if outbox.count == 0 { continue }
            refreshMetadata()
            let didSend = sendNext()
            confirm()
            if isBehind, SystemClock.monotonicNanoseconds() >= nextWrite { writeJournal() }
            if !didSend, !context.pause(Self.pollInterval) { break }
        }
        outbox.stop()
        confirm()
        writeJournal()
        hold(nil)
    }

    /// Continues where the journal ends. Without a file, starts with the next rows.
    ///
    /// - Parameter present: the rows when the sender was configured.
    private func begin(_ present: [CommittedRows.LanePosition]) {
        guard let file, let known = SendJournal(file: file) else {
            positions = SendPositions(present, at: SystemClock.wallMilliseconds())
            exemplarsTaken = store.exemplars(since: 0)?.taken ?? 0
            journal.delivered = positions
            reportDelivered()
            return
        }
        // After a power failure there may be fewer rows: later ones have their numbers.
        let isComplete = !hasLostRows(known, present)
        journal.delivered = known.delivered
        journal.delivered.limit(to: present)
        positions = journal.delivered
        reportDelivered()
        if context.settings.sendsExemplars {
            resendsExemplarsAfter = known.delivered.exemplarsThrough - Self.exemplarOverlap
        }
        let isSame = known.fingerprint == journal.fingerprint && isComplete
        for var portion in known.portions {
            if isStopping { break }
            portion.limit(to: present)
            setShards(portion.shards)
            if outbox.count == 0 { break }
            _ = rows.refresh()
            refreshSeries()
            send(portion, isSame ? .same : .other)
        }
    }

    /// Whether a power failure cost rows that are in the journal.
    private func hasLostRows(_ journal: SendJournal, _ present: [CommittedRows.LanePosition]) -> Bool {
        var sent = journal.delivered
        for portion in journal.portions { sent.advance(through: portion) }
        return present.contains { lane in
            sent.lanes[lane.lane.rawValue].map { $0.name == lane.name && $0.rows > lane.rows } ?? false
        }
    }

    // MARK: Portions

    /// Sends the next portion. Returns whether there was one.
    private func sendNext() -> Bool {
        guard open.count < Self.mostPortions else { return false }
        // Exemplars are taken before the rows and sent after them, so that a receiver knows their series.
        takeExemplars()
        let lanes = rows.refresh()
        forgetLanes(lanes)
        let isDue = planner.isDue(
            lanes, from: positions, shards: outbox.count, hasExemplars: builder.hasWaiting,
            now: SystemClock.monotonicNanoseconds() / 1_000_000)
        guard isDue else { return false }
        let ends = PortionPlanner.ends(of: refreshSeries(), from: positions)
        send(SendPortion(time: SystemClock.wallMilliseconds(), shards: outbox.count, ends: ends), .none)
        return true
    }

    /// Before each portion: a look for rows alone does not need the series.
    @discardableResult
    private func refreshSeries() -> [CommittedRows.LanePosition] {
        let lanes = rows.refreshSeries()
        builder.forget(rows.takeRemoved())
        return lanes
    }

    /// Lanes that retention removed.
    private func forgetLanes(_ lanes: [CommittedRows.LanePosition]) {
        guard positions.lanes.count > lanes.count else { return }
        let present = Set(lanes.map(\.lane.rawValue))
        positions.lanes = positions.lanes.filter { present.contains($0.key) }
        journal.delivered.lanes = journal.delivered.lanes.filter { present.contains($0.key) }
    }

    /// Notes the portion in the journal and hands over its requests.
    private func send(_ portion: SendPortion, _ repetition: SendShard.Repetition) {
        number += 1
        open.append(Open(number: number, portion: portion, exemplarsThrough: positions.exemplarsThrough))
        if repetition == .none { writeJournal() }
        outbox.begin(number)
        builder.begin(portion, number: number, repetition)
        let lanes = rows.lanes.filter { portion.ends[$0.lane.rawValue]?.name == $0.name }
        // Late samples have requests of their own: a receiver that does not take them refuses the others with them.
        for takesAnyOrder in [false, true] {
            for lane in lanes where lane.takesAnyOrder == takesAnyOrder {
                if isStopping { return }
                let first = positions.next(lane)
                let end = min(lane.rows, portion.ends[lane.lane.rawValue]?.rows ?? 0)
                guard first < end else { continue }
                let lost = rows.read(first..<end, of: lane.lane) { [rows, builder] series, time, value in
                    builder.add(series, time, value, labels: rows.labels(of:))
                }
                if lost > 0 { context.instruments.lostRows.add(Double(lost)) }
            }
            builder.flush()
        }
        builder.end()
        positions.advance(through: portion)
        context.instruments.read(through: builder.newestRead)
        // If everything stops, some requests were not handed over.
        if !isStopping { outbox.end() }
    }

    /// Moves on through the portions of which everything was delivered.
    private func confirm() {
        let oldest = outbox.oldestPortion
        var count = 0
        for entry in open {
            guard entry.number < oldest else { break }
            journal.delivered.advance(through: entry.portion)
            journal.delivered.exemplarsThrough = entry.exemplarsThrough
            count += 1
        }
        if count == 0 { return }
        open.removeFirst(count)
        isBehind = true
        reportDelivered()
    }

    private func reportDelivered() {
        hold(journal.delivered.lanes.mapValues(\.rows))
    }

    private func writeJournal() {
        isBehind = false
        nextWrite = SystemClock.monotonicNanoseconds() + Self.writeInterval.rawValue * 1_000_000
        guard let file else { return }
        journal.portions = open.map(\.portion)
        do throws(DurableError) { try journal.write(to: file) } catch {
            // A kill now means that some samples are sent again in other requests.
            if context.mayLog() {
                context.logger.error("positions of remote write not written", ["error": "\(error)"])
            }
        }
    }

    // MARK: Exemplars

    private func takeExemplars() {
        guard context.settings.sendsExemplars, let news = store.exemplars(since: exemplarsTaken) else { return }
        exemplarsTaken = news.taken
        var exemplars = news.exemplars
        if let after = resendsExemplarsAfter {
            resendsExemplarsAfter = nil
            exemplars = exemplars.filter { ($0.exemplar.timestamp?.milliseconds ?? 0) > after }
        }
        for stored in exemplars {
            positions.exemplarsThrough = max(
                positions.exemplarsThrough, stored.exemplar.timestamp?.milliseconds ?? 0)
        }
        builder.add(exemplars, at: SystemClock.wallMilliseconds())
    }

    // MARK: Metadata

    private func refreshMetadata() {
        let settings = context.settings.metadata
        let now = SystemClock.monotonicNanoseconds()
        guard settings.isSent, now >= nextMetadata else { return }
        nextMetadata = now + settings.interval.rawValue * 1_000_000
        let families = Dictionary(families().map { ($0.family, $0) }) { first, _ in first }
        builder.metadata = families
        guard context.settings.message == .version1 else { return }
        let all = families.values.sorted { $0.family < $1.family }
        let most = max(1, settings.mostPerSend)
        for start in stride(from: 0, to: all.count, by: most) {
            let part = all[start..<min(all.count, start + most)]
            // Metadata is sent again soon. It does not hold up samples.
            outbox.offer(
                SendShard.Batch(
                    body: WriteMessageWriter.write(part), counts: .init(metadata: part.count), portion: number))
        }
    }

    // MARK: Senders

    private func adjustShards() {
        let now = SystemClock.monotonicNanoseconds()
        if now >= nextCalculation {
            nextCalculation = now + Int64(ShardCalculation.period * 1e9)
            let work = context.work.withLock { work in
                defer { work = (0, 0) }
                return work
            }
            let newest = builder.newestRead
            let delay = newest > 0 ? max(0, newest - context.instruments.deliveredThrough) : 0
            let counts = builder.takeCounts()
            calculation.passed(
                .init(
                    samplesIn: counts.read, kept: counts.kept, samplesOut: work.samples, outSeconds: work.seconds,
                    delaySeconds: Double(delay) / 1000))
            context.instruments.shardsDesired.set(calculation.desired)
        }
        setShards(calculation.shards)
    }

    private func setShards(_ count: Int) {
        if outbox.wantedCount == count, outbox.count > 0 { return }
        // A series may change its sender: everything before must be delivered.
        while outbox.oldestPortion != .max {
            confirm()
            guard context.pause(Milliseconds(rawValue: 20)) else { return }
        }
        outbox.replaceShards(count)
    }
}
