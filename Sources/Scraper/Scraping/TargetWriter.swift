internal import Exposition
internal import MetricModel
internal import MetricStore

/// Writes the scrapes of one target to its lane: finds slots for series, adds staleness markers and the series about
/// the scrape itself.
///
/// Not shared: used by the one thread that currently handles the target's scrape.
final class TargetWriter {
    /// A response body, decompressed.
    struct Fetched {
        var body: ExpositionBody
        var format: ExpositionFormat
        /// The response header of ``ConstitutionCheck``.
        var constitutionalHash: String?
    }

    /// The result of a scrape.
    struct Outcome {
        var failure: ScrapeFailure?
        /// Samples in the body.
        var scraped = 0
        /// Samples left after relabelling.
        var kept = 0
        /// Series that are new.
        var added = 0
        /// Samples that the store rejected: duplicate, out of order, or too far in the future.
        var refused = 0
        /// The work exceeds the limits. Nothing was written, and the scrape must be written again.
        var isPostponed = false
    }

    /// Samples with timestamps further in the future are rejected.
    private static let furthestFuture = Milliseconds.minutes(10)

    private let lane: Lane
    private let seriesCap: Int
    private var reader = BodyReader()
    private var body = ScrapedBody()
    /// By the reader's number; `nil` if relabelling drops the series.
    private var slots: [RingSlot?] = []
    /// The count of numbers that map to each slot.
    private var references = SlotCounts()
    /// The slots of the last committed body, in its order.
    private var row = SlotRow()
    /// Ascending indices in `row` of samples with exposed timestamps, which get no staleness markers.
    private var untracked: [Int] = []
    /// Whether the series of `row` have a sample without a staleness marker after it.
    private var isLive = false
    /// Slots with live series from before the rules changed.
    private var carried: Set<RingSlot> = []
    /// The start timestamps of series for which a zero was stored.
    private var starts: [RingSlot: Timestamp] = [:]
    private var rulesGeneration = -1
    private var histogramSettings = ScrapePool.HistogramSettings()
    /// By ``ScrapeReport``.
    private var reports = [ReportSeries](repeating: ReportSeries(), count: ScrapeReport.allCases.count)
    private var check: ConstitutionCheck

    /// A writer for a lane that has no series of this target.
    ///
    /// - Parameter seriesCap: the series limit for every target, regardless of its configured limits.
    init(lane: Lane, constitutionalHash: String?, seriesCap: Int) {
        self.lane = lane
        self.seriesCap = seriesCap
        check = ConstitutionCheck(wanted: constitutionalHash)
    }

    /// The lane that it writes to.
    var laneID: LaneID { lane.id }

    /// The metadata of the last valid body.
    func metadata() -> [ExpositionEntry] { reader.metadata() }

    /// The maximum number of series that get a staleness marker when a scrape fails.
    var liveCount: Int { isLive ? row.count : carried.count }

    /// Writes the samples of a scrape, or its failure. `elapsed` returns the seconds since it began.
    ///
    /// - Parameter limits: if ``ReadingLimits/newSeries`` is exceeded or the write is cancelled, nothing is written.
    func write(
        _ fetched: Result<Fetched, ScrapeFailure>, at time: Timestamp, rules: SampleRules,
        limits: ReadingLimits = ReadingLimits(), elapsed: () -> Double
    ) throws(StoreError) -> Outcome {
        // Each format identifies series in its own way. A failed scrape has no format; its reason is reported below.
        let format: ExpositionFormat? = if case .success(let answer) = fetched { answer.format } else { nil }
        let isOther = format.map { !reader.reads($0) } ?? false
        let isKnown = rules.generation == rulesGeneration && rules.histograms == histogramSettings
        if !isKnown || isOther { relearn(rules, for: format) }
        var outcome = Outcome()
        var bodyBytes = 0
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
            bodyBytes = fetched.body.count
            report(check.scraped(header: fetched.constitutionalHash), rules, &appender)
        } catch {
            outcome.failure = error
            bodyBytes = error.isTooLong ? -1 : 0
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
        reportExtras(bodyBytes, rules, &appender)
        try appender.commit()
        if outcome.failure == nil, !body.exemplars.isEmpty { storeExemplars(at: time) }
        for slot in ended {
            lane.retire(slot)
            if !starts.isEmpty { starts[slot] = nil }
        }
        return outcome
    }

    /// Ends every series with a staleness marker, then ends the lane.
    func end(at time: Timestamp) throws(StoreError) {
        var appender = lane.beginAppend(at: time)
        let liveReports = reports.compactMap { $0.isLive ? $0.slot : nil }
        for slot in tracked().union(liveReports) { appender.append(slot, .staleMarker) }
        try appender.commit()
        lane.close()
    }

    /// Clears the slots by number, because the rules or the format changed. Live series stay until the next scrape.
    private func relearn(_ rules: SampleRules, for format: ExpositionFormat?) {
        carried = tracked()
        (rulesGeneration, histogramSettings) = (rules.generation, rules.histograms)
        reader = BodyReader(format ?? .text, rules.exposition, converting: rules.conversion)
        check.forgotAll()
        (slots, references, row, untracked, isLive) = ([], SlotCounts(), SlotRow(), [], false)
        starts = [:]
    }
}

// MARK: Samples

extension TargetWriter {
    /// Appends the whole body or nothing. Returns the slots that are no longer needed; `nil` if the limits do not allow
    /// it.
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
        // In the usual case only series that disappeared can have ended.
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

    /// The slots whose series get a staleness marker if the next body does not contain them.
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

    /// Finds slots for new series, and returns the row of the body; `nil` if it is cancelled.
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
        // Counted before any slot is created, so that an excess of series leaves nothing behind.
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

    /// Finds slots for new series. Returns the errors of those that got none.
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

    /// Releases numbers. Returns the slots to which no number maps any more.
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

    /// Writes a zero at the start timestamp of counters that are new or were reset. If the series has a later sample,
    /// the zero is out of order, which is not an error.
    private func appendZeroes(before time: Timestamp, _ appender: inout Appender) {
        appender.takesOutOfOrder = false
        defer { appender.takesOutOfOrder = true }
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

    /// Stores the exemplars that changed since the last body; those of a native histogram sorted by time.
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
        if appended.isRefused { outcome.refused += 1 }
    }
}

// MARK: Series about the scrape

extension TargetWriter {
    private func report(
        _ report: ScrapeReport, _ value: Double, _ rules: SampleRules, _ appender: inout Appender
    ) {
        let index = report.rawValue
        // If these series get no slot either, the store's own metrics count it.
        guard let slot = try? reports[index].slot ?? lane.slot(for: rules.reportLabels(report.name)) else { return }
        appender.append(slot, value)
        reports[index] = ReportSeries(slot: slot, isLive: !value.isStaleMarker)
    }

    /// Writes the series of `extra_scrape_metrics`, or ends them.
    private func reportExtras(_ bodyBytes: Int, _ rules: SampleRules, _ appender: inout Appender) {
        if let timeout = rules.extraTimeout {
            report(.timeout, timeout.seconds, rules, &appender)
            report(.sampleLimit, Double(rules.limits.samples), rules, &appender)
            report(.bodySize, Double(bodyBytes), rules, &appender)
        } else if reports[ScrapeReport.timeout.rawValue].isLive {
            for extra in [ScrapeReport.timeout, .sampleLimit, .bodySize] {
                report(extra, .staleMarker, rules, &appender)
            }
        }
    }

    /// Writes the result of the constitution check. Without a result, its series ends.
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
    case timeout
    case sampleLimit
    case bodySize

    var name: String {
        switch self {
        case .up: "up"
        case .samplesScraped: "scrape_samples_scraped"
        case .samplesKept: "scrape_samples_post_metric_relabeling"
        case .seriesAdded: "scrape_series_added"
        case .duration: "scrape_duration_seconds"
        case .constitutionalHashMatch: ConstitutionCheck.metric
        case .timeout: "scrape_timeout_seconds"
        case .sampleLimit: "scrape_sample_limit"
        case .bodySize: "scrape_body_size_bytes"
        }
    }
}

/// The state of a series about the scrape.
private struct ReportSeries {
    var slot: RingSlot?
    /// Whether it has a sample without a staleness marker after it.
    var isLive = false
}
