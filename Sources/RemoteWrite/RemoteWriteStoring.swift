internal import MetricModel
internal import MetricStore

/// Stores one request. A value of the thread that handles the request.
///
/// First every sample is checked and gets its place. Then all are appended, by lane and time, so that the samples of
/// one scrape are in one row. Invalid samples are reported; the others are stored.
struct RemoteWriteStoring {
    typealias Refusal = SampleIntake.Refusal

    private enum Value {
        case float(Double)
        case histogram(FloatHistogram)
        /// A counter's zero at its start timestamp.
        case zero(of: FloatHistogram?)
    }

    private struct Entry {
        var lane: Int
        var slot: RingSlot
        var time: Int64
        var value: Value
    }

    /// The newest sample of a series in the request.
    private struct Newest {
        var time: Int64
        var bits: UInt64?
    }

    /// The maximum distance of a sample from now in the future.
    private static let furthestAhead: Milliseconds = .minutes(10)
    /// The maximum distance from now of a sample whose time seems to be in seconds.
    private static let yearOfSeconds: Milliseconds = .hours(366 * 24)
    /// The maximum number of errors in a response. Others are counted.
    private static let maximumFaultsListed = 10

    private let request: WriteRequest
    private let source: SampleIntake.Source
    private let now: Timestamp
    private let zeroesStarts: Bool
    /// Whether the store takes samples at a time at which their series has a newer one.
    private let takesOutOfOrder: (Timestamp) -> Bool
    private var entries: [Entry] = []
    private var newest: [Labels: Newest] = [:]
    /// The stored series, by index.
    private var identities: [Int: Labels] = [:]
    private var faults: [String] = []
    /// Whether the response reports an error.
    private var isRefused = false
    private(set) var faultCount = 0
    private(set) var written = SampleIntake.Written()
    /// The numbers of data points of which something was not stored.
    private(set) var faultyPoints: Set<Int> = []

    init(
        _ request: WriteRequest, _ source: SampleIntake.Source, now: Timestamp, zeroesStarts: Bool,
        takesOutOfOrder: @escaping (Timestamp) -> Bool
    ) {
        self.takesOutOfOrder = takesOutOfOrder
        self.request = request
        self.source = source
        self.now = now
        self.zeroesStarts = zeroesStarts
    }

    /// The refusal for the response if something was not stored; `nil` also if the response does not report it.
    var refusal: Refusal? {
        guard isRefused else { return nil }
        let more = faultCount > faults.count ? "\n\(faultCount - faults.count) more" : ""
        return Refusal(status: 400, message: faults.joined(separator: "\n") + more)
    }

    /// The first error, for the log.
    var firstFault: String? { faults.first }

    /// Stores the samples. Throws if the store fails.
    mutating func take(into lanes: inout RemoteWriteLanes) throws(Refusal) {
        var made: [Labels] = []
        do throws(Refusal) {
            for index in request.series.indices { try check(index, &lanes, &made) }
        } catch {
            // Places created for a rejected request are removed.
            lanes.give(up: made)
            throw error
        }
        // So are places of series without a stored sample.
        lanes.give(up: made.filter { newest[$0] == nil })
        do throws(Refusal) {
            try append(lanes)
        } catch {
            // A slot may have been removed: all are requested again when the sender retries.
            lanes.forgetPlaces()
            throw error
        }
    }

    // MARK: Checking

    /// Something was not stored.
    ///
    /// - Parameter isSilent: whether the response does not report it, as in Prometheus for invalid labels in version 1:
    ///   senders would otherwise report the whole request as lost.
    private mutating func fault(_ message: String, of series: WriteRequest.Series? = nil, isSilent: Bool = false) {
        if series?.isDerived == true { return }
        if let point = series?.point { faultyPoints.insert(point) }
        faultCount += 1
        if !isSilent { isRefused = true }
        if faults.count < Self.maximumFaultsListed { faults.append(message) }
    }

    private mutating func check(
        _ index: Int, _ lanes: inout RemoteWriteLanes, _ made: inout [Labels]
    ) throws(Refusal) {
        let series = request.series[index]
        let labels: Labels
        switch series.identity {
        case .success(let identity): labels = identity
        case .failure(let problem):
            fault(problem.description, of: series, isSilent: source == .first)
            return
        }
        guard !(series.samples.isEmpty && series.histograms.isEmpty) else {
            if source == .second { fault("no sample and no histogram for series \(labels)") }
            identities[index] = source == .second ? nil : labels
            return
        }
        let place: RemoteWriteLanes.Place
        do throws(StoreError) {
            let found = try lanes.place(for: labels, now: now)
            if found.isNew { made.append(labels) }
            place = found.place
        } catch {
            throw Refusal(status: 503, message: "series \(labels) has no place: \(error)")
        }
        identities[index] = labels
        if zeroesStarts { addZeroes(series, labels, place, lanes) }
        for sample in series.samples {
            let isTaken = try check(sample.time, sample.value.bitPattern, labels, series) {
                lanes.lane(place.lane)?.outcome(place.slot, sample.value, at: $0)
            }
            if isTaken { add(labels, place, sample.time, .float(sample.value), bits: sample.value.bitPattern) }
            if isTaken { written.samples += 1 }
        }
        for sample in series.histograms {
            if let problem = sample.fault {
                fault("\(problem): series \(labels)", of: series)
                continue
            }
            let isTaken = try check(sample.time, nil, labels, series) {
                lanes.lane(place.lane)?.outcome(place.slot, histogram: sample.histogram, at: $0)
            }
            if isTaken { add(labels, place, sample.time, .histogram(sample.histogram), bits: nil) }
            if isTaken { written.histograms += 1 }
        }
    }

    /// Whether to store a sample. A sample that is already stored is neither stored again nor an error.
    private mutating func check(
        _ time: Int64, _ bits: UInt64?, _ labels: Labels, _ series: WriteRequest.Series,
        _ outcome: (Timestamp) -> AppendOutcome?
    ) throws(Refusal) -> Bool {
        guard time <= (now + Self.furthestAhead).milliseconds else {
            fault("out of bounds: timestamp is too far in the future: series \(labels)", of: series)
            return false
        }
        if isInSeconds(time) {
            fault("out of bounds: timestamp \(time) is in seconds, expected milliseconds: series \(labels)", of: series)
            return false
        }
        let result = outcome(Timestamp(milliseconds: time))
        if let before = newest[labels], result == .appended {
            if time > before.time { return true }
            if time == before.time {
                if let bits, before.bits == bits { return true }
                fault("duplicate sample for timestamp: series \(labels)", of: series)
                return false
            }
            // Samples are appended in the order of their times.
            if takesOutOfOrder(Timestamp(milliseconds: time)) { return true }
            fault("out of order sample: series \(labels)", of: series)
            return false
        }
        switch result {
        case .appended, .appendedOutOfOrder, .alreadyPresent: return true
        case .tooOld: fault("too old sample: series \(labels)", of: series)
        case .duplicateTimestamp: fault("duplicate sample for timestamp: series \(labels)", of: series)
        case .outOfOrder: fault("out of order sample: series \(labels)", of: series)
        case .outOfBounds: fault("out of bounds: series \(labels)", of: series)
        case .unknownSlot, nil: throw Refusal(status: 503, message: "series \(labels) has no place")
        }
        return false
    }

    /// Whether `time` is long ago in milliseconds, but about now in seconds.
    private func isInSeconds(_ time: Int64) -> Bool {
        let limit = Self.yearOfSeconds.rawValue
        let (scaled, overflows) = time.multipliedReportingOverflow(by: 1000)
        return now.milliseconds - time > limit && !overflows && (scaled - now.milliseconds).magnitude < limit
    }

    private mutating func add(
        _ labels: Labels, _ place: RemoteWriteLanes.Place, _ time: Int64, _ value: Value, bits: UInt64?
    ) {
        if newest[labels].map({ $0.time <= time }) ?? true { newest[labels] = Newest(time: time, bits: bits) }
        entries.append(Entry(lane: place.lane, slot: place.slot, time: time, value: value))
    }

    /// Adds a zero at the start of the series, unless the store has later samples: then it would be out of order, which
    /// is not an error.
    private mutating func addZeroes(
        _ series: WriteRequest.Series, _ labels: Labels, _ place: RemoteWriteLanes.Place, _ lanes: RemoteWriteLanes
    ) {
        guard newest[labels] == nil else { return }
        let histogram = series.histograms.first { $0.fault == nil }
        let first =
            series.samples.first.map { (time: $0.time, start: $0.start) }
            ?? histogram.map { (time: $0.time, start: $0.start) }
        guard let first else { return }
        let start = first.start != 0 ? first.start : series.start
        guard start > 0, start < first.time,
            lanes.lane(place.lane)?.outcome(place.slot, 0, at: Timestamp(milliseconds: start)) == .appended
        else { return }
        let zero = Value.zero(of: series.samples.isEmpty ? histogram?.histogram : nil)
        entries.append(Entry(lane: place.lane, slot: place.slot, time: start, value: zero))
    }

    // MARK: Appending

    private func append(_ lanes: RemoteWriteLanes) throws(Refusal) {
        // A stable sort by lane and time.
        let order = entries.indices.sorted {
            (entries[$0].lane, entries[$0].time, $0) < (entries[$1].lane, entries[$1].time, $1)
        }
        var rest = order[...]
        while let first = rest.first {
            let (lane, time) = (entries[first].lane, entries[first].time)
            let row = rest.prefix { entries[$0].lane == lane && entries[$0].time == time }
            rest = rest.dropFirst(row.count)
            guard let lane = lanes.lane(lane) else { throw Refusal(status: 500, message: "a lane is closed") }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: time))
            for index in row {
                let entry = entries[index]
                let outcome =
                    switch entry.value {
                    case .float(let value): appender.append(entry.slot, value)
                    case .histogram(let histogram): appender.append(entry.slot, histogram: histogram)
                    case .zero(of: let histogram?): appender.append(entry.slot, histogram: histogram.emptied)
                    case .zero(of: nil): appender.append(entry.slot, 0)
                    }
                if outcome == .unknownSlot { throw Refusal(status: 503, message: "the store is out of memory") }
            }
            do throws(StoreError) { try appender.commit() } catch {
                throw Refusal(status: 500, message: error.description)
            }
        }
    }

    // MARK: Exemplars

    /// Stores the exemplars of stored series. Only out-of-order ones are errors, and only in version 2.
    mutating func takeExemplars(into store: MetricStore) {
        var exemplars: [(labels: Labels, exemplar: Exemplar)] = []
        for (index, series) in request.series.enumerated() where !series.exemplars.isEmpty {
            guard let labels = identities[index] else { continue }
            for exemplar in series.exemplars {
                guard exemplar.timestamp ?? now <= now + Self.furthestAhead else { continue }
                exemplars.append((labels, exemplar))
            }
        }
        let outcomes = store.append(exemplars: exemplars, at: now)
        for (found, outcome) in zip(exemplars, outcomes) {
            switch outcome {
            case .appended: written.exemplars += 1
            case .outOfOrder:
                // As in Prometheus, version 1 does not report them.
                if source == .second { fault("out of order exemplar: series \(found.labels)") }
            case .duplicate, .tooLong, .disabled: break
            }
        }
    }
}
