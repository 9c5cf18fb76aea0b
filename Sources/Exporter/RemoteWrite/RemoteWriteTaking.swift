internal import MetricModel
internal import MetricStore

/// One request on its way into the store. A value of the thread that has the request.
///
/// First every sample is checked and given its place, then all are appended, lane by lane and time by time, so that the
/// samples of one scrape come to stand in one row.
struct RemoteWriteTaking {
    typealias Refusal = RemoteWriteReceiver.Refusal

    private enum Value {
        case float(Double)
        case histogram(FloatHistogram)
        /// A counter's zero at the time since when it counts.
        case zero(of: FloatHistogram?)
    }

    private struct Entry {
        var lane: Int
        var slot: RingSlot
        var time: Int64
        var value: Value
    }

    /// A series' newest sample within the request.
    private struct Newest {
        var time: Int64
        var bits: UInt64?
    }

    /// How far in the future a sample may lie.
    private static let furthestAhead: Milliseconds = .minutes(10)
    /// As many faults are told; the others are counted.
    private static let mostFaultsTold = 10

    private let request: WriteRequest
    private let version: WriteRequest.Version
    private let now: Timestamp
    private let zeroesStarts: Bool
    private var entries: [Entry] = []
    private var newest: [Labels: Newest] = [:]
    /// Series that are stored, by index.
    private var identities: [Int: Labels] = [:]
    private var faults: [String] = []
    private(set) var faultCount = 0
    private(set) var written = RemoteWriteReceiver.Written()

    init(_ request: WriteRequest, _ version: WriteRequest.Version, now: Timestamp, zeroesStarts: Bool) {
        self.request = request
        self.version = version
        self.now = now
        self.zeroesStarts = zeroesStarts
    }

    /// What is to be answered where something was left out.
    var refusal: Refusal? {
        guard version == .two, faultCount > 0 else { return nil }
        let more = faultCount > faults.count ? "\n\(faultCount - faults.count) more" : ""
        return Refusal(status: 400, message: faults.joined(separator: "\n") + more)
    }

    /// Stores the samples; throws where nothing may be stored.
    mutating func take(into lanes: inout RemoteWriteLanes) throws(Refusal) {
        var made: [Labels] = []
        do throws(Refusal) {
            for index in request.series.indices { try check(index, &lanes, &made) }
        } catch {
            // What was made for a request that is refused must not stay behind.
            lanes.give(up: made)
            throw error
        }
        // Nor what none of its samples was taken for.
        lanes.give(up: made.filter { newest[$0] == nil })
        do throws(Refusal) {
            try append(lanes)
        } catch {
            // Should a slot be gone, all are asked for again when the sender tries again.
            lanes.forgetPlaces()
            throw error
        }
    }

    // MARK: Checking

    /// A fault of version 1 ends everything; of version 2 it is told at the end.
    private mutating func fault(_ message: String) throws(Refusal) {
        guard version == .two else { throw Refusal(status: 400, message: message) }
        faultCount += 1
        if faults.count < Self.mostFaultsTold { faults.append(message) }
    }

    private mutating func check(
        _ index: Int, _ lanes: inout RemoteWriteLanes, _ made: inout [Labels]
    ) throws(Refusal) {
        let series = request.series[index]
        let labels: Labels
        switch series.identity {
        case .success(let identity): labels = identity
        case .failure(let problem):
            // Version 1 passes over them in silence.
            if version == .two { try fault(problem.description) } else { faultCount += 1 }
            return
        }
        guard !(series.samples.isEmpty && series.histograms.isEmpty) else {
            if version == .two { try fault("no sample and no histogram for series \(labels)") }
            identities[index] = version == .two ? nil : labels
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
            let isTaken = try check(sample.time, sample.value.bitPattern, labels) {
                lanes.lane(place.lane)?.outcome(place.slot, sample.value, at: $0)
            }
            if isTaken { add(labels, place, sample.time, .float(sample.value), bits: sample.value.bitPattern) }
            if isTaken { written.samples += 1 }
        }
        for sample in series.histograms {
            if let problem = sample.fault {
                try fault("\(problem): series \(labels)")
                continue
            }
            let isTaken = try check(sample.time, nil, labels) {
                lanes.lane(place.lane)?.outcome(place.slot, histogram: sample.histogram, at: $0)
            }
            if isTaken { add(labels, place, sample.time, .histogram(sample.histogram), bits: nil) }
            if isTaken { written.histograms += 1 }
        }
    }

    /// Whether a sample is to be stored; one that is there already is not, and no fault either.
    private mutating func check(
        _ time: Int64, _ bits: UInt64?, _ labels: Labels, _ outcome: (Timestamp) -> AppendOutcome?
    ) throws(Refusal) -> Bool {
        guard time <= (now + Self.furthestAhead).milliseconds else {
            try fault("out of bounds: timestamp is too far in the future: series \(labels)")
            return false
        }
        if let before = newest[labels] {
            if time > before.time { return true }
            if time == before.time {
                if let bits, before.bits == bits { return true }
                try fault("duplicate sample for timestamp: series \(labels)")
            } else {
                try fault("out of order sample: series \(labels)")
            }
            return false
        }
        switch outcome(Timestamp(milliseconds: time)) {
        case .appended, .alreadyPresent: return true
        case .duplicateTimestamp: try fault("duplicate sample for timestamp: series \(labels)")
        case .outOfOrder: try fault("out of order sample: series \(labels)")
        case .outOfBounds: try fault("out of bounds: series \(labels)")
        case .unknownSlot, nil: throw Refusal(status: 503, message: "series \(labels) has no place")
        }
        return false
    }

    private mutating func add(
        _ labels: Labels, _ place: RemoteWriteLanes.Place, _ time: Int64, _ value: Value, bits: UInt64?
    ) {
        newest[labels] = Newest(time: time, bits: bits)
        entries.append(Entry(lane: place.lane, slot: place.slot, time: time, value: value))
    }

    /// A zero at the start of the series, where that is news; elsewhere it would be out of order, which is no fault.
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
        // A sort that keeps the order of what has the same lane and time.
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

    /// Stores the exemplars of series that are stored. Only those that come out of order are faults, and of version 2
    /// alone.
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
                // Version 1 says nothing of them; with version 2 a fault is noted and never thrown.
                if version == .two { try? fault("out of order exemplar: series \(found.labels)") }
            case .duplicate, .tooLong, .disabled: break
            }
        }
    }
}
