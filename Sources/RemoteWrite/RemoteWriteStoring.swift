internal import MetricModel
internal import MetricStore
internal import Protobuf

/// Stores one request. A value of the thread that handles the request.
///
/// First every sample is checked and gets its place. Then all are appended, by lane and time, so that the samples of
/// one scrape are in one row. Invalid samples are reported; the others are stored.
struct RemoteWriteStoring {
    typealias Refusal = SampleIntake.Refusal

    /// The kind of value of an entry.
    private enum Kind {
        case float
        case histogram
        /// A counter's zero at its start timestamp.
        case zero
        case zeroHistogram
    }

    private struct Entry {
        /// The number of the place.
        var place: Int32
        var kind: Kind
        /// The bits of a float, or the index of the histogram in the request.
        var bits: UInt64
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
    /// The samples to store, with their lanes and times.
    private var entries: [Entry] = []
    private var entryLanes: [Int32] = []
    private var entryTimes: [Int64] = []
    /// The number of this request.
    private let number: UInt64
    /// The series whose exemplars are stored.
    private var exemplarSeries: [Int] = []
    private var faults: [String] = []
    /// Whether the response reports an error.
    private var isRefused = false
    private(set) var faultCount = 0
    private(set) var written = SampleIntake.Written()
    /// The numbers of data points of which something was not stored.
    private(set) var faultyPoints: Set<Int> = []

    init(
        _ request: WriteRequest, number: UInt64, _ source: SampleIntake.Source, now: Timestamp, zeroesStarts: Bool,
        takesOutOfOrder: @escaping (Timestamp) -> Bool
    ) {
        self.takesOutOfOrder = takesOutOfOrder
        self.request = request
        self.number = number
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
        entries.reserveCapacity(request.samples.count + request.histograms.count)
        entryLanes.reserveCapacity(entries.capacity)
        entryTimes.reserveCapacity(entries.capacity)
        var made: [Int] = []
        do throws(Refusal) {
            try unsafe request.labelBytes.withUnsafeBufferPointer { bytes throws(Refusal) in
                for index in request.series.indices { unsafe try check(index, bytes, &lanes, &made) }
            }
        } catch {
            // Places created for a rejected request are removed.
            lanes.give(up: made)
            throw error
        }
        // So are places of series without a stored sample.
        lanes.give(up: made.filter { lanes.newest($0, in: number) == nil })
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
    private mutating func fault(_ message: String, of series: WriteRequest.Series, isSilent: Bool = false) {
        if series.isDerived { return }
        if let point = series.point { faultyPoints.insert(point) }
        faultCount += 1
        if !isSilent { isRefused = true }
        if faults.count < Self.maximumFaultsListed { faults.append(message) }
    }

    /// The labels of a series for a message; empty if no further message is listed.
    private func text(of series: WriteRequest.Series) -> String {
        // The labels of a series with a place were read when it got the place: they are valid.
        guard faults.count < Self.maximumFaultsListed, case .success(let labels) = try? request.identity(of: series)
        else { return "" }
        return "\(labels)"
    }

    private mutating func check(
        _ index: Int, _ bytes: UnsafeBufferPointer<UInt8>, _ lanes: inout RemoteWriteLanes, _ made: inout [Int]
    ) throws(Refusal) {
        let series = request.series[index]
        let own = unsafe UnsafeBufferPointer(rebasing: bytes[series.labels])
        let hasSamples = !(series.samples.isEmpty && series.histograms.isEmpty)
        let place: Int
        if hasSamples, let known = unsafe lanes.known(own, now: now) {
            place = known
        } else {
            guard let labels = try identity(of: series) else { return }
            guard hasSamples else {
                if source == .second { fault("no sample and no histogram for series \(labels)", of: series) }
                if source != .second, !series.exemplars.isEmpty { exemplarSeries.append(index) }
                return
            }
            do throws(StoreError) {
                let found = unsafe try lanes.place(for: labels, own, now: now)
                if found.isNew { made.append(found.number) }
                place = found.number
            } catch {
                throw Refusal(status: 503, message: "series \(labels) has no place: \(error)")
            }
        }
        if !series.exemplars.isEmpty { exemplarSeries.append(index) }
        let (laneIndex, slot) = (lanes.places[place].lane, lanes.places[place].slot)
        guard let lane = lanes.lane(laneIndex) else {
            throw Refusal(status: 503, message: "series \(text(of: series)) has no place")
        }
        let target = Target(place: place, laneIndex: laneIndex, lane: lane, slot: slot)
        let mayStart = zeroesStarts && lanes.newest(place, in: number) == nil
        for sample in request.samples[series.samples] {
            let bits = sample.value.bitPattern
            let outcome = lane.outcome(slot, sample.value, at: Timestamp(milliseconds: sample.time))
            guard try accepts(sample.time, bits, outcome, series, lanes.newest(place, in: number)) else { continue }
            add(target, sample.time, .float, bits, &lanes)
            written.samples += 1
        }
        for index in series.histograms {
            let sample = request.histograms[index]
            if let problem = sample.fault {
                fault("\(problem): series \(text(of: series))", of: series)
                continue
            }
            let outcome = lane.outcome(
                slot, histogram: sample.histogram, at: Timestamp(milliseconds: sample.time))
            guard try accepts(sample.time, nil, outcome, series, lanes.newest(place, in: number)) else { continue }
            add(target, sample.time, .histogram, UInt64(index), &lanes)
            written.histograms += 1
        }
        if mayStart, lanes.newest(place, in: number) != nil { addZero(series, target) }
    }

    /// The place of a series.
    private struct Target {
        var place: Int
        var laneIndex: Int
        var lane: Lane
        var slot: RingSlot
    }

    /// The labels of a series; `nil` if they are invalid.
    private mutating func identity(of series: WriteRequest.Series) throws(Refusal) -> Labels? {
        do throws(ProtobufFault) {
            switch try request.identity(of: series) {
            case .success(let labels): return labels
            case .failure(let problem):
                fault(problem.description, of: series, isSilent: source == .first)
                return nil
            }
        } catch {
            throw Refusal(status: 400, message: "malformed protobuf message: \(error)")
        }
    }

    /// Whether to store a sample. A sample that is already stored is neither stored again nor an error.
    ///
    /// - Parameter before: the newest sample of the series in this request.
    private mutating func accepts(
        _ time: Int64, _ bits: UInt64?, _ outcome: AppendOutcome, _ series: WriteRequest.Series,
        _ before: (time: Int64, bits: UInt64?)?
    ) throws(Refusal) -> Bool {
        guard time <= (now + Self.furthestAhead).milliseconds else {
            fault("out of bounds: timestamp is too far in the future: series \(text(of: series))", of: series)
            return false
        }
        if isInSeconds(time) {
            fault(
                "out of bounds: timestamp \(time) is in seconds, expected milliseconds: series \(text(of: series))",
                of: series)
            return false
        }
        if let before, outcome == .appended {
            if time > before.time { return true }
            if time == before.time {
                if let bits, before.bits == bits { return true }
                fault("duplicate sample for timestamp: series \(text(of: series))", of: series)
                return false
            }
            // Samples are appended in the order of their times.
            if takesOutOfOrder(Timestamp(milliseconds: time)) { return true }
            fault("out of order sample: series \(text(of: series))", of: series)
            return false
        }
        switch outcome {
        case .appended, .appendedOutOfOrder, .alreadyPresent: return true
        case .tooOld: fault("too old sample: series \(text(of: series))", of: series)
        case .duplicateTimestamp: fault("duplicate sample for timestamp: series \(text(of: series))", of: series)
        case .outOfOrder: fault("out of order sample: series \(text(of: series))", of: series)
        case .outOfBounds: fault("out of bounds: series \(text(of: series))", of: series)
        case .unknownSlot: throw Refusal(status: 503, message: "series \(text(of: series)) has no place")
        }
        return false
    }

    /// Whether `time` is long ago in milliseconds, but about now in seconds.
    private func isInSeconds(_ time: Int64) -> Bool {
        let limit = Self.yearOfSeconds.rawValue
        guard now.milliseconds - time > limit else { return false }
        let (scaled, overflows) = time.multipliedReportingOverflow(by: 1000)
        return !overflows && (scaled - now.milliseconds).magnitude < limit
    }

    private mutating func add(
        _ target: Target, _ time: Int64, _ kind: Kind, _ bits: UInt64, _ lanes: inout RemoteWriteLanes
    ) {
        if lanes.newest(target.place, in: number).map({ $0.time <= time }) ?? true {
            lanes.setNewest(target.place, in: number, time, kind == .float ? bits : nil)
        }
        add(Entry(place: Int32(target.place), kind: kind, bits: bits), target, time)
    }

    private mutating func add(_ entry: Entry, _ target: Target, _ time: Int64) {
        entries.append(entry)
        entryLanes.append(Int32(target.laneIndex))
        entryTimes.append(time)
    }

    /// Adds a zero at the start of the series, unless the store has later samples: then it would be out of order, which
    /// is not an error.
    private mutating func addZero(_ series: WriteRequest.Series, _ target: Target) {
        let histogram = series.histograms.first { request.histograms[$0].fault == nil }
        let first =
            request.samples[series.samples].first.map { (time: $0.time, start: $0.start) }
            ?? histogram.map { (time: request.histograms[$0].time, start: request.histograms[$0].start) }
        guard let first else { return }
        let start = first.start != 0 ? first.start : series.start
        guard start > 0, start < first.time,
            target.lane.outcome(target.slot, 0, at: Timestamp(milliseconds: start)) == .appended
        else { return }
        let entry =
            if series.samples.isEmpty, let histogram {
                Entry(place: Int32(target.place), kind: .zeroHistogram, bits: UInt64(histogram))
            } else {
                Entry(place: Int32(target.place), kind: .zero, bits: 0)
            }
        add(entry, target, start)
    }

    // MARK: Appending

    private func append(_ lanes: RemoteWriteLanes) throws(Refusal) {
        let order = RowOrder.of(lanes: entryLanes, times: entryTimes)
        var next = 0
        while next < entries.count {
            let first = order.map { Int($0[next]) } ?? next
            let (laneIndex, time) = (entryLanes[first], entryTimes[first])
            guard let lane = lanes.lane(Int(laneIndex)) else { throw Refusal(status: 500, message: "a lane is closed") }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: time))
            while next < entries.count {
                let index = order.map { Int($0[next]) } ?? next
                guard entryLanes[index] == laneIndex, entryTimes[index] == time else { break }
                let entry = entries[index]
                let slot = lanes.places[Int(entry.place)].slot
                let outcome =
                    switch entry.kind {
                    case .float: appender.append(slot, Double(bitPattern: entry.bits))
                    case .zero: appender.append(slot, 0)
                    case .histogram: appender.append(slot, histogram: request.histograms[Int(entry.bits)].histogram)
                    case .zeroHistogram:
                        appender.append(slot, histogram: request.histograms[Int(entry.bits)].histogram.emptied)
                    }
                if outcome == .unknownSlot { throw Refusal(status: 503, message: "the store is out of memory") }
                next += 1
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
        var owners: [Int] = []
        for index in exemplarSeries {
            let series = request.series[index]
            // Their labels were read when the series got its place, or just now: they are valid.
            guard case .success(let labels) = try? request.identity(of: series) else { continue }
            for exemplar in request.exemplars[series.exemplars] {
                guard exemplar.timestamp ?? now <= now + Self.furthestAhead else { continue }
                exemplars.append((labels, exemplar))
                owners.append(index)
            }
        }
        let outcomes = store.append(exemplars: exemplars, at: now)
        for (position, outcome) in outcomes.enumerated() {
            switch outcome {
            case .appended: written.exemplars += 1
            case .outOfOrder:
                // As in Prometheus, version 1 does not report them.
                guard source == .second else { continue }
                fault(
                    "out of order exemplar: series \(exemplars[position].labels)",
                    of: request.series[owners[position]])
            case .duplicate, .tooLong, .disabled: break
            }
        }
    }
}
