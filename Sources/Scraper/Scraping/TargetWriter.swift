internal import Exposition
internal import MetricModel
internal import MetricStore

/// Puts the scrapes of one target into its lane: series to slots, staleness markers, the series about the scrape
/// itself.
///
/// Not to be shared: used by whichever thread has the target's scrape in hand, one at a time.
final class TargetWriter {
    /// A body that came, decompressed.
    struct Fetched {
        var body: ExpositionBody
        var format: ExpositionFormat
        /// The response header of ``ConstitutionCheck``.
        var constitutionalHash: String?
    }

    /// What became of a scrape.
    struct Outcome {
        var failure: ScrapeFailure?
        /// Samples in the body.
        var scraped = 0
        /// Samples that relabelling left.
        var kept = 0
        /// Series that were not there before.
        var added = 0
        /// Samples that the store did not take: double, out of order, too far in the future.
        var refused = 0
        /// The limits do not allow for all that is to be done: nothing was written, and the scrape is to be written
        /// again.
        var isPostponed = false
    }

    /// Timestamps further ahead than this are not taken.
    private static let furthestFuture = Milliseconds.minutes(10)

    private let lane: Lane
    private let seriesCap: Int
    private var reader = BodyReader()
    private var body = ScrapedBody()
    /// By the reader's number; `nil` where relabelling drops the series.
    private var slots: [RingSlot?] = []
    /// How many numbers lead to a slot.
    private var references = SlotCounts()
    /// The slots of the last committed body in its order.
    private var row = SlotRow()
    /// Ascending indices into `row` of the samples that are not tracked, because they bring their own timestamps.
    private var untracked: [Int] = []
    /// Whether the series of `row` have a sample that no staleness marker follows.
    private var isLive = false
    /// Live slots of a time before the rules changed.
    private var carried: Set<RingSlot> = []
    /// Since when series count, where that was stored as a zero.
    private var starts: [RingSlot: Timestamp] = [:]
    private var rulesGeneration = -1
    /// By ``ScrapeReport``.
    private var reports = [ReportSeries](repeating: ReportSeries(), count: ScrapeReport.allCases.count)
    private var check: ConstitutionCheck

    /// A writer for a lane without series of ours.
    ///
    /// - Parameter seriesCap: No target may have more series, whatever its limits are.
    init(lane: Lane, constitutionalHash: String?, seriesCap: Int) {
        self.lane = lane
        self.seriesCap = seriesCap
        check = ConstitutionCheck(wanted: constitutionalHash)
    }

    /// The lane that is written.
    var laneID: LaneID { lane.id }

    /// The metadata of the last good body.
    func metadata() -> [ExpositionEntry] { reader.metadata() }

    /// How many series get a staleness marker when a scrape fails, at most.
    var liveCount: Int { isLive ? row.count : carried.count }

    /// Writes what a scrape brought, or that it failed. `elapsed` tells the seconds since it began.
    ///
    /// - Parameter limits: Where ``ReadingLimits/newSeries`` is exceeded or the writing cancelled, nothing is written.
    func write(
        _ fetched: Result<Fetched, ScrapeFailure>, at time: Timestamp, rules: SampleRules,
        limits: ReadingLimits = ReadingLimits(), elapsed: () -> Double
    ) throws(StoreError) -> Outcome {
        // Formats tell series apart in ways of their own. A scrape that failed has none; its reason is told below.
        let format: ExpositionFormat? = if case .success(let answer) = fetched { answer.format } else { nil }
        let isOther = format.map { !reader.reads($0) } ?? false
        if rules.generation != rulesGeneration || isOther { relearn(rules, for: format) }
        var outcome = Outcome()
        var appender = lane.beginAppend(at: time)
        var ended: [RingSlot] = []
        do throws(ScrapeFailure) {
            let fetched = try fetched.get()
            guard let slots = try append(fetched, at: time, rules, limits, &appender, &outcome) else {
                appender.rollback()
                outcome.isPostponed = true
                return outcome
            }
            ended = slots
            report(check.scraped(header: fetched.constitutionalHash), rules, &appender)
        } catch {
            outcome.failure = error
            for slot in tracked() { appender.append(slot, .staleMarker) }
            isLive = false
            carried = []
            report(nil, rules, &appender)
        }
        report(.up, outcome.failure == nil ? 1 : 0, rules, &appender)
        report(.samplesScraped, Double(outcome.scraped), rules, &appender)
        report(.samplesKept, Double(outcome.kept), rules, &appender)
        report(.seriesAdded, Double(outcome.added), rules, &appender)
        report(.duration, elapsed(), rules, &appender)
        try appender.commit()
        if outcome.failure == nil, !body.exemplars.isEmpty { storeExemplars(at: time) }
        for slot in ended {
            lane.retire(slot)
            if !starts.isEmpty { starts[slot] = nil }
        }
        return outcome
    }

    /// Ends every series with a staleness marker, and the lane.
    func end(at time: Timestamp) throws(StoreError) {
        var appender = lane.beginAppend(at: time)
        let liveReports = reports.compactMap { $0.isLive ? $0.slot : nil }
        for slot in tracked().union(liveReports) { appender.append(slot, .staleMarker) }
        try appender.commit()
        lane.close()
    }

    /// Forgets which series is which, because other rules hold or the format is another one; what they were called
    /// stays until the next scrape.
    private func relearn(_ rules: SampleRules, for format: ExpositionFormat?) {
        carried = tracked()
        rulesGeneration = rules.generation
        reader = BodyReader(format ?? .text, rules.exposition, converting: rules.conversion)
        check.forgotAll()
        (slots, references, row, untracked, isLive) = ([], SlotCounts(), SlotRow(), [], false)
        starts = [:]
    }
}

// MARK: Samples

extension TargetWriter {
    /// Appends a body whole, or nothing of it. Returns the slots that are not needed any more; `nil` where the limits
    /// do not allow for it.
    private func append(
        _ fetched: Fetched, at time: Timestamp, _ rules: SampleRules, _ limits: ReadingLimits,
        _ appender: inout Appender, _ outcome: inout Outcome
    ) throws(ScrapeFailure) -> [RingSlot]? {
        do throws(ExpositionError) {
            try reader.parse(fetched.body, format: fetched.format, into: &body, limits: limits)
        } catch {
            outcome.scraped = body.values.count
            reader.discard()
            throw ScrapeFailure(error.description)
        }
        outcome.scraped = body.values.count
        switch body.stop {
        case nil: break
        case .tooManySamples:
            reader.discard()
            throw ScrapeFailure("more than \(limits.samples) samples")
        case .tooManyNewSeries, .cancelled:
            reader.discard()
            return nil
        }
        let ownTimestamps = rules.honorsTimestamps && !body.timestamps.isEmpty
        // Usually nothing but the series that went away can have ended.
        let isPlain = untracked.isEmpty && carried.isEmpty && !ownTimestamps
        let before = isPlain ? [] : tracked()
        let newRow: SlotRow
        do throws(ScrapeFailure) {
            guard let known = body.isUnchanged ? row : try learn(rules, limits, &outcome) else {
                reader.discard()
                return nil
            }
            newRow = known
            outcome.kept = newRow.slotCount
            try checkCount(outcome.kept, rules)
            try body.limitHistograms(rules.histograms)
        } catch {
            reader.discard()
            throw error
        }
        var ended = release(reader.commit())
        row = newRow
        if !body.startTimestamps.isEmpty { appendZeroes(before: time, &appender) }
        appendValues(at: time, ownTimestamps: ownTimestamps, &appender, &outcome)
        untracked = ownTimestamps && !rules.tracksTimestampStaleness ? body.timestamps.map(\.index) : []
        if isPlain {
            if isLive { for slot in ended { appender.append(slot, .staleMarker) } }
            isLive = true
        } else {
            isLive = true
            ended += carried.filter { references[$0] == 0 }
            carried = []
            for slot in before.subtracting(tracked()) { appender.append(slot, .staleMarker) }
        }
        if !body.isUnchanged { body.releaseSeries() }
        return ended
    }

    /// The slots whose series get a staleness marker when they are not there the next time.
    private func tracked() -> Set<RingSlot> {
        guard isLive else { return carried }
        var tracked = carried
        var skipped = untracked[...]
        for (index, slot) in row.enumerated() {
            if skipped.first == index {
                skipped.removeFirst()
            } else if let slot {
                tracked.insert(slot)
            }
        }
        return tracked
    }

    /// Finds slots for the series that are new, and gives the row of the body; `nil` where it is cancelled.
    private func learn(
        _ rules: SampleRules, _ limits: ReadingLimits, _ outcome: inout Outcome
    ) throws(ScrapeFailure) -> SlotRow? {
        if slots.capacity < reader.numberLimit { slots.reserveCapacity(max(reader.numberLimit, slots.count * 9 / 8)) }
        while slots.count < reader.numberLimit { slots.append(nil) }
        var stored: [(number: Int, labels: Labels)] = []
        for series in body.newSeries {
            slots[Int(series.number)] = nil
            if let labels = try rules.resolve(series.labels) { stored.append((Int(series.number), labels)) }
        }
        // Counted before any slot is made, so that too many series leave nothing behind.
        outcome.kept = stored.count + body.series.count { slots[Int($0)] != nil }
        try checkCount(outcome.kept, rules)
        var made: [RingSlot] = []
        while made.count < stored.count {
            if !made.isEmpty, limits.isCancelled() {
                for slot in release(slot: made) { lane.retire(slot) }
                return nil
            }
            let next = stored[made.count...].prefix(1024)
            let failure = append(slotsOf: next, to: &made)
            if let failure {
                for slot in release(slot: made) { lane.retire(slot) }
                throw ScrapeFailure("the store refuses a series: \(failure)")
            }
        }
        outcome.added = made.count { references[$0] == 1 }
        for series in body.newSeries { check.learned(series.number, series.labels) }
        return SlotRow(body.series.lazy.map { [slots] in slots[Int($0)] })
    }

    /// Finds slots for new series, and says why not for all.
    private func append(
        slotsOf stored: ArraySlice<(number: Int, labels: Labels)>, to made: inout [RingSlot]
    ) -> StoreError? {
        let first = made.count
        var failure: StoreError?
        do throws(StoreError) { try lane.appendSlots(for: stored.map(\.labels), to: &made) } catch { failure = error }
        for (series, slot) in zip(stored, made[first...]) {
            slots[series.number] = slot
            references.add(slot)
        }
        return failure
    }

    private func checkCount(_ kept: Int, _ rules: SampleRules) throws(ScrapeFailure) {
        if rules.limits.samples > 0, kept > rules.limits.samples { throw ScrapeFailure("sample_limit exceeded") }
        if kept > seriesCap { throw ScrapeFailure("more than \(seriesCap) samples") }
    }

    /// Takes numbers back. Returns the slots that none leads to any more.
    private func release(_ numbers: [Int32]) -> [RingSlot] {
        for number in numbers { check.forgot(number) }
        return release(slot: numbers.compactMap { slots[Int($0)] })
    }

    private func release(slot released: [RingSlot]) -> [RingSlot] {
        released.filter { references.remove($0) }
    }

    private func appendValues(
        at time: Timestamp, ownTimestamps: Bool, _ appender: inout Appender, _ outcome: inout Outcome
    ) {
        if !ownTimestamps, body.histograms.isEmpty {
            outcome.refused += appender.append(row, body.values)
            return
        }
        var timestamps = ownTimestamps ? body.timestamps[...] : []
        var histograms = body.histograms[...]
        let latest = time + Self.furthestFuture
        for (index, slot) in row.enumerated() {
            let own = timestamps.take(index)
            let histogram = histograms.take(index)
            guard let slot else { continue }
            if let own, own > latest {
                outcome.refused += 1
            } else if let histogram {
                note(appender.append(slot, histogram: histogram, at: own), &outcome)
            } else {
                note(appender.append(slot, body.values[index], at: own ?? time), &outcome)
            }
        }
    }

    /// Gives counters that are new, or have begun anew, a zero at the time since when they count. Where the series has
    /// a later sample it comes too late, which is no fault.
    private func appendZeroes(before time: Timestamp, _ appender: inout Appender) {
        var histograms = body.histograms[...]
        for extra in body.startTimestamps {
            while let first = histograms.first, first.index < extra.index { histograms.removeFirst() }
            guard let slot = row[extra.index], starts[slot] != extra.value, extra.value < time else { continue }
            starts[slot] = extra.value
            if let histogram = histograms.take(extra.index) {
                appender.append(slot, histogram: histogram.emptied, at: extra.value)
            } else {
                appender.append(slot, 0, at: extra.value)
            }
        }
    }

    /// Hands over the exemplars that have changed since the last body, those of a native histogram by time.
    private func storeExemplars(at time: Timestamp) {
        let latest = time + Self.furthestFuture
        let timed = body.exemplars.map { (index: $0.index, time: $0.value.timestamp ?? time, exemplar: $0.value) }
        var exemplars: [(slot: RingSlot, exemplar: Exemplar)] = []
        for found in timed.sorted(by: { ($0.index, $0.time) < ($1.index, $1.time) }) where found.time <= latest {
            if let slot = row[found.index] { exemplars.append((slot, found.exemplar)) }
        }
        lane.append(exemplars: exemplars, at: time)
    }

    private func note(_ appended: AppendOutcome, _ outcome: inout Outcome) {
        if appended != .appended && appended != .alreadyPresent { outcome.refused += 1 }
    }
}

// MARK: Series about the scrape

extension TargetWriter {
    private func report(
        _ report: ScrapeReport, _ value: Double, _ rules: SampleRules, _ appender: inout Appender
    ) {
        let index = report.rawValue
        // Where even these find no place, the store's own metrics tell of it.
        guard let slot = try? reports[index].slot ?? lane.slot(for: rules.reportLabels(report.name)) else { return }
        appender.append(slot, value)
        reports[index] = ReportSeries(slot: slot, isLive: !value.isStaleMarker)
    }

    /// The outcome of the constitution check; where there is none, its series ends.
    private func report(_ match: Double?, _ rules: SampleRules, _ appender: inout Appender) {
        if let match {
            report(.constitutionalHashMatch, match, rules, &appender)
        } else if reports[ScrapeReport.constitutionalHashMatch.rawValue].isLive {
            report(.constitutionalHashMatch, .staleMarker, rules, &appender)
        }
    }
}

/// A series about the scrape itself.
private enum ScrapeReport: Int, CaseIterable {
    case up
    case samplesScraped
    case samplesKept
    case seriesAdded
    case duration
    case constitutionalHashMatch

    var name: String {
        switch self {
        case .up: "up"
        case .samplesScraped: "scrape_samples_scraped"
        case .samplesKept: "scrape_samples_post_metric_relabeling"
        case .seriesAdded: "scrape_series_added"
        case .duration: "scrape_duration_seconds"
        case .constitutionalHashMatch: ConstitutionCheck.metric
        }
    }
}

/// What is known of a series about the scrape.
private struct ReportSeries {
    var slot: RingSlot?
    /// Whether it has a sample that no staleness marker follows.
    var isLive = false
}
