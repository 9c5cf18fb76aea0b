internal import Durable
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Scraper
internal import Synchronization

/// Reads the rows of the store and hands them to the senders of one receiver. Owned by the thread that calls ``run()``.
///
/// A position moves on when everything before it was delivered or refused. After a crash, rows since the last written
/// position are sent again; receivers ignore samples that they have.
final class SendLoop {
    /// The time between looks for new rows.
    private static let pollInterval = Milliseconds(rawValue: 100)
    /// Rows of a lane that are read at once.
    private static let rowsAtOnce = 64
    /// The time between writes of the file with positions.
    private static let writeInterval = Milliseconds.seconds(2)
    /// Exemplars this long before the position are sent again after a restart.
    private static let exemplarOverlap: Int64 = 60_000
    private static let mostCheckpoints = 1000

    /// A sender with the samples that do not fill a request yet.
    private struct Slot {
        let shard: SendShard
        var samples: [WriteMessageWriter.Sample] = []
        var exemplars: [WriteMessageWriter.SeriesExemplar] = []
        var round: UInt64 = 0
        var newest: Int64 = 0
        var histograms = 0
        /// Whether some of the samples may have been delivered before a restart.
        var mayRepeat = false
        /// When the first sample was added.
        var since: Int64 = 0

        var count: Int { samples.count + exemplars.count }
    }

    /// What is known about a series.
    private enum Known {
        /// Rules drop it, or it has no name.
        case dropped
        /// The hash of its sent labels.
        case sent(UInt64)
    }

    private struct Checkpoint {
        var round: UInt64
        /// The rows committed before this time are in these positions or earlier ones.
        var time: Timestamp
        var positions: SendPositions
    }

    private let context: SendShard.Context
    private let store: MetricStore
    private let rows: CommittedRows
    private let relabelling: Relabelling
    private let externalLabels: Labels
    private let file: String?
    private let families: @Sendable () -> [MetricMetadata]
    private let hold: (Timestamp?) -> Void

    private var writer: WriteMessageWriter
    private var known: [Known?] = []
    private var slots: [Slot] = []
    private var calculation: ShardCalculation
    private var nextCalculation = SystemClock.monotonicNanoseconds() + Int64(ShardCalculation.period * 1e9)
    private var round: UInt64 = 0
    private var roundTime = Timestamp(milliseconds: SystemClock.wallMilliseconds())
    private var leavesRows = false
    /// For each lane, the number of rows of an earlier process.
    private var repeatedThrough: [UInt32: Int] = [:]
    private var isRepeating = false
    private var positions = SendPositions()
    private var checkpoints: [Checkpoint] = []
    private var confirmed: SendPositions?
    private var nextWrite: Int64 = 0
    private var exemplarsTaken: UInt64 = 0
    private var resendsExemplarsAfter: Int64?
    private var newestRead: Int64 = 0
    private var readCount = 0
    private var keptCount = 0
    private var metadata: [String: MetricMetadata] = [:]
    private var nextMetadata: Int64 = 0

    /// - Parameters:
    ///   - file: the file with the positions; `nil` keeps them in memory.
    ///   - hold: called with the time before which all rows were delivered; with `nil` at the end.
    init(
        _ store: MetricStore, _ context: SendShard.Context, externalLabels: Labels, file: String?,
        families: @escaping @Sendable () -> [MetricMetadata], hold: @escaping (Timestamp?) -> Void
    ) throws(RelabelError) {
        self.store = store
        self.context = context
        self.externalLabels = externalLabels
        self.file = file
        self.families = families
        self.hold = hold
        relabelling = try Relabelling(context.settings.relabelRules)
        rows = CommittedRows(store)
        writer = WriteMessageWriter(context.settings.message == .version1 ? .one : .two)
        calculation = ShardCalculation(context.settings.queue)
    }

    private var isStopping: Bool { context.isStopping.load(ordering: .acquiring) }

    /// Sends until everything stops.
    ///
    /// - Parameter present: the rows when the sender was configured.
    func run(_ present: [CommittedRows.LanePosition]) {
        begin(present)
        while !isStopping {
            adjustShards()
            if slots.isEmpty { continue }
            refreshMetadata()
            let didRead = readRound()
            flush(olderThan: context.settings.queue.sendDeadline)
            confirm()
            if !didRead, !context.pause(Self.pollInterval) { break }
        }
        for slot in slots { slot.shard.stop() }
        confirm(isLast: true)
        hold(nil)
    }

    /// Continues where an earlier process stopped. Without a file, starts with the next rows.
    ///
    /// - Parameter present: the rows when the sender was configured.
    private func begin(_ present: [CommittedRows.LanePosition]) {
        if let file, let known = SendPositions(file: file) {
            positions = known
            // The earlier process may have delivered any of its rows.
            for lane in present { repeatedThrough[lane.lane.rawValue] = lane.rows }
            if context.settings.sendsExemplars {
                resendsExemplarsAfter = known.exemplarsThrough - Self.exemplarOverlap
            }
            return
        }
        for lane in present { positions.lanes[lane.lane.rawValue] = .init(name: lane.name, rows: lane.rows) }
        positions.exemplarsThrough = SystemClock.wallMilliseconds()
        exemplarsTaken = store.exemplars(since: 0)?.taken ?? 0
        confirmed = positions
        confirm(isLast: true)
    }

    // MARK: Reading

    /// Reads the rows that were committed since the last round, a limited number. Returns whether there were any.
    private func readRound() -> Bool {
        round += 1
        let time = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        // Rows that are left for the next round were committed before.
        if !leavesRows { roundTime = time }
        leavesRows = false
        // Exemplars are taken before the rows and sent after them, so that a receiver knows their series.
        let exemplars = takeExemplars()
        let lanes = rows.refresh()
        forgetSeries()
        var found = false
        var present: Set<UInt32> = []
        for lane in lanes {
            if isStopping { return false }
            present.insert(lane.lane.rawValue)
            let first = positions.next(lane)
            let end = min(lane.rows, first + Self.rowsAtOnce)
            if end < lane.rows { leavesRows = true }
            if first < end {
                found = true
                isRepeating = first < repeatedThrough[lane.lane.rawValue] ?? 0
                let lost = rows.read(first..<end, of: lane.lane) { [self] in add($0, $1, $2) }
                if lost > 0 { context.instruments.lostRows.add(Double(lost)) }
            }
            positions.lanes[lane.lane.rawValue] = .init(name: lane.name, rows: max(first, end))
        }
        // Lanes that retention removed.
        if positions.lanes.count > present.count {
            positions.lanes = positions.lanes.filter { present.contains($0.key) }
        }
        for exemplar in exemplars { add(exemplar) }
        if newestRead > 0 { context.instruments.highestRead.set(Double(newestRead) / 1000) }
        // A round that was interrupted is not complete: some samples were not handed over.
        if isStopping { return false }
        if found || !exemplars.isEmpty { noteCheckpoint() }
        return found
    }

    /// Forgets series that are gone. Their last samples are encoded before.
    private func forgetSeries() {
        let removed = rows.takeRemoved()
        guard !removed.isEmpty || writer.isFull else { return }
        for index in slots.indices { flush(index) }
        for number in removed {
            writer.forget(number)
            if number < known.count { known[number] = nil }
        }
        guard writer.isFull else { return }
        writer.forgetAll()
        known = []
    }

    private func add(_ series: Int, _ time: Int64, _ value: CommittedRows.Value) {
        readCount += 1
        newestRead = max(newestRead, time)
        guard let hash = hash(of: series) else {
            context.instruments.droppedByRules.add()
            return
        }
        if case .histogram = value, !context.settings.sendsNativeHistograms { return }
        let limit = context.settings.queue.sampleAgeLimit.rawValue
        if limit > 0, time < SystemClock.wallMilliseconds() - limit {
            context.instruments.droppedByAge.add()
            return
        }
        keptCount += 1
        let index = Int(hash % UInt64(slots.count))
        makeRoom(index)
        if case .histogram = value { slots[index].histograms += 1 }
        slots[index].samples.append(.init(series: series, time: time, value: value))
        slots[index].newest = max(slots[index].newest, time)
        if isRepeating { slots[index].mayRepeat = true }
    }

    /// The hash of the labels that a series is sent with; `nil` if it is not sent.
    private func hash(of series: Int) -> UInt64? {
        while known.count <= series { known.append(nil) }
        switch known[series] {
        case .dropped: return nil
        case .sent(let hash): return hash
        case nil: break
        }
        guard let labels = sent(rows.labels(of: series)) else {
            known[series] = .dropped
            return nil
        }
        writer.set(series, labels)
        let hash = Self.hash(labels)
        known[series] = .sent(hash)
        return hash
    }

    /// The labels after external labels and rules; `nil` if the series is not sent.
    private func sent(_ labels: Labels) -> Labels? {
        var all = labels
        for label in externalLabels.pairs where all[label.name] == nil { all.set(label.name, to: label.value) }
        guard let kept = relabelling.isEmpty ? all : relabelling.apply(to: all), kept.metricName != nil else {
            return nil
        }
        return kept
    }

    /// FNV-1a. The same in every process, so that a series stays with its sender.
    private static func hash(_ labels: Labels) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for pair in labels.pairs {
            for byte in pair.name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
            for byte in pair.value.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        return hash
    }

    // MARK: Exemplars

    private func takeExemplars() -> [StoredExemplar] {
        guard context.settings.sendsExemplars, writer.version == .one, let news = store.exemplars(since: exemplarsTaken)
        else { return [] }
        exemplarsTaken = news.taken
        guard let after = resendsExemplarsAfter else { return news.exemplars }
        resendsExemplarsAfter = nil
        return news.exemplars.filter { ($0.exemplar.timestamp?.milliseconds ?? 0) > after }
    }

    private func add(_ stored: StoredExemplar) {
        guard let labels = sent(stored.series) else { return }
        let index = Int(Self.hash(labels) % UInt64(slots.count))
        makeRoom(index)
        slots[index].exemplars.append(.init(labels: labels, exemplar: stored.exemplar))
        positions.exemplarsThrough = max(positions.exemplarsThrough, stored.exemplar.timestamp?.milliseconds ?? 0)
    }

    // MARK: Requests

    private func makeRoom(_ index: Int) {
        if slots[index].count >= context.settings.queue.samplesPerSend { flush(index) }
        if slots[index].count == 0 {
            slots[index].round = round
            slots[index].since = SystemClock.monotonicNanoseconds()
        }
    }

    private func flush(olderThan limit: Milliseconds) {
        let now = SystemClock.monotonicNanoseconds()
        for index in slots.indices
        where slots[index].count > 0 && now - slots[index].since >= limit.rawValue * 1_000_000 { flush(index) }
    }

    /// Hands the samples of a slot to its sender. Waits while its queue is full.
    private func flush(_ index: Int) {
        let slot = slots[index]
        if slot.count == 0 { return }
        let body = writer.write(slot.samples, slot.exemplars, isDivisible: slot.mayRepeat) { [metadata] in
            Self.metadata(of: $0, in: metadata)
        }
        let counts = SenderInstruments.Counts(
            samples: slot.samples.count - slot.histograms, histograms: slot.histograms,
            exemplars: slot.exemplars.count)
        let batch = SendShard.Batch(
            body: body, counts: counts, round: slot.round, newest: slot.newest, mayRepeat: slot.mayRepeat)
        if hand(batch, to: slot.shard) {
            slots[index].samples.removeAll(keepingCapacity: true)
            slots[index].exemplars = []
            (slots[index].histograms, slots[index].newest, slots[index].mayRepeat) = (0, 0, false)
        }
    }

    /// Returns false if everything stops first.
    private func hand(_ batch: SendShard.Batch, to shard: SendShard) -> Bool {
        var isFirst = true
        while !shard.send(batch) {
            if isFirst { context.instruments.enqueueRetries.add() }
            isFirst = false
            confirm()
            guard context.pause(Milliseconds(rawValue: 5)) else { return false }
        }
        return true
    }

    // MARK: Metadata

    private static func metadata(of metric: String, in families: [String: MetricMetadata]) -> MetricMetadata? {
        if let found = families[metric] { return found }
        for suffix in ["_bucket", "_count", "_sum", "_total"] where metric.hasSuffix(suffix) {
            if let found = families[String(metric.dropLast(suffix.count))] { return found }
        }
        return nil
    }

    private func refreshMetadata() {
        let settings = context.settings.metadata
        let now = SystemClock.monotonicNanoseconds()
        guard settings.isSent, now >= nextMetadata, let shard = slots.first?.shard else { return }
        nextMetadata = now + settings.interval.rawValue * 1_000_000
        let found = families()
        metadata = Dictionary(found.map { ($0.family, $0) }) { first, _ in first }
        guard writer.version == .one else { return }
        let all = metadata.values.sorted { $0.family < $1.family }
        for start in stride(from: 0, to: all.count, by: max(1, settings.mostPerSend)) {
            let part = all[start..<min(all.count, start + max(1, settings.mostPerSend))]
            let batch = SendShard.Batch(
                body: WriteMessageWriter.write(part), counts: .init(metadata: part.count), round: round)
            // Metadata is sent again soon. It does not hold up samples.
            _ = shard.send(batch)
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
            let delay = newestRead > 0 ? max(0, newestRead - context.instruments.deliveredThrough) : 0
            calculation.passed(
                .init(
                    samplesIn: readCount, kept: keptCount, samplesOut: work.samples, outSeconds: work.seconds,
                    delaySeconds: Double(delay) / 1000))
            (readCount, keptCount) = (0, 0)
            context.instruments.shardsDesired.set(calculation.desired)
        }
        if slots.count == calculation.shards { return }
        // A series may change its sender: everything before must be delivered.
        for index in slots.indices { flush(index) }
        while slots.contains(where: { $0.shard.oldestRound != nil }) {
            confirm()
            guard context.pause(Milliseconds(rawValue: 20)) else { return }
        }
        for slot in slots { slot.shard.stop() }
        slots = []
        for number in 0..<calculation.shards {
            do throws(WorkerThread.StartError) {
                slots.append(Slot(shard: try SendShard(context, number: number)))
            } catch {
                if context.mayLog() { context.logger.error("a sender cannot start", ["error": error.description]) }
                break
            }
        }
        context.instruments.shards.set(Double(slots.count))
        if slots.isEmpty { _ = context.pause(.seconds(1)) }
    }

    // MARK: Positions

    private func noteCheckpoint() {
        // With a receiver that is away for long, the last ones are enough.
        if checkpoints.count >= Self.mostCheckpoints { checkpoints.removeLast() }
        checkpoints.append(Checkpoint(round: round, time: roundTime, positions: positions))
    }

    /// Moves the confirmed position to the last round of which everything was delivered, and writes it.
    private func confirm(isLast: Bool = false) {
        let open = slots.compactMap { slot in
            let waiting = slot.count > 0 ? slot.round : nil
            return [slot.shard.oldestRound, waiting].compactMap { $0 }.min()
        }
        let limit = open.min() ?? .max
        if let last = checkpoints.lastIndex(where: { $0.round < limit }) {
            confirmed = checkpoints[last].positions
            // Rows may be older than the time of their commit.
            hold(checkpoints[last].time - .minutes(10))
            checkpoints.removeFirst(last + 1)
        }
        let now = SystemClock.monotonicNanoseconds()
        guard let positions = confirmed, isLast || now >= nextWrite else { return }
        confirmed = nil
        nextWrite = now + Self.writeInterval.rawValue * 1_000_000
        guard let file else { return }
        do throws(DurableError) { try positions.write(to: file) } catch {
            // The samples are sent again after a restart.
            if context.mayLog() {
                context.logger.error("positions of remote write not written", ["error": "\(error)"])
            }
        }
    }
}
