internal import MetricModel
internal import MetricStore

/// The lanes of remotely written series, and the place of each series. A value; used by one thread at a time.
///
/// A sender passes on scraped samples, so the samples of a target have common timestamps. Each pair of `job` and
/// `instance` gets a lane, whose rows are then as dense as those of a scraped target. Series without either, and those
/// of more targets than ``mostLanes``, share one lane.
struct RemoteWriteLanes {
    /// Limits the memory of lanes, because senders choose the labels.
    static let mostLanes = 1000
    /// A series without samples for this long loses its slot. It gets another one when it returns.
    private static let idleLimit: Milliseconds = .hours(1)
    /// The interval of searches for idle series.
    private static let sweepInterval: Milliseconds = .minutes(5)

    private let store: MetricStore
    private var lanes: [Lane?] = []
    private var indices: [String: Int] = [:]
    private(set) var places = SeriesPlaces()
    private var nextSweep = Timestamp.distantPast

    init(_ store: MetricStore) {
        self.store = store
    }

    /// The number of series with a slot.
    var placeCount: Int { places.count }
    /// The number of open lanes.
    var laneCount: Int { indices.count }

    /// The lane of a place.
    func lane(_ index: Int) -> Lane? { lanes[index] }

    /// The number of the place of a known series, by its labels in a request.
    mutating func known(_ labelBytes: UnsafeBufferPointer<UInt8>, now: Timestamp) -> Int? {
        guard let number = unsafe places.find(labelBytes) else { return nil }
        places[number].lastUsed = now
        return number
    }

    /// The number of the place of a series that ``known(_:now:)`` did not find; created if it is new.
    ///
    /// - Returns: also whether it is new; then ``give(up:)`` can remove it.
    mutating func place(
        for labels: Labels, _ labelBytes: UnsafeBufferPointer<UInt8>, now: Timestamp
    ) throws(StoreError) -> (number: Int, isNew: Bool) {
        let canonical = LabelBytes.canonical(labels)
        if let number = unsafe canonical.withUnsafeBufferPointer({ unsafe known($0, now: now) }) {
            unsafe places.addSpelling(labelBytes, of: number)
            return (number, false)
        }
        let (index, lane) = try lane(for: labels)
        let place = SeriesPlaces.Place(lane: index, slot: try lane.slot(for: labels), lastUsed: now)
        let number = places.insert(place, as: canonical)
        if unsafe !canonical.elementsEqual(labelBytes) { unsafe places.addSpelling(labelBytes, of: number) }
        return (number, true)
    }

    /// The sample of a series that was added last in this request.
    func newest(_ number: Int, in request: UInt64) -> (time: Int64, bits: UInt64?)? {
        places[number].request == request ? (places[number].newestTime, places[number].newestBits) : nil
    }

    /// Sets the sample of a series that is the newest of this request.
    mutating func setNewest(_ number: Int, in request: UInt64, _ time: Int64, _ bits: UInt64?) {
        places[number].request = request
        places[number].newestTime = time
        places[number].newestBits = bits
    }

    /// Removes places that were created and not used.
    mutating func give(up numbers: [Int]) {
        for number in numbers {
            lanes[places[number].lane]?.retire(places[number].slot)
            places.remove(number)
        }
    }

    /// Removes all places, so that slots are requested again.
    mutating func forgetPlaces() {
        places = SeriesPlaces()
    }

    /// Releases the slots of series without recent samples, and lanes without series, so that their
    /// memory is reused.
    mutating func sweep(now: Timestamp) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        give(up: places.numbers.filter { now - places[$0].lastUsed > Self.idleLimit })
        let used = Set(places.numbers.map { places[$0].lane })
        for (name, index) in indices where !used.contains(index) {
            lanes[index]?.close()
            lanes[index] = nil
            indices[name] = nil
        }
        if indices.isEmpty { lanes = [] }
    }

    private mutating func lane(for labels: Labels) throws(StoreError) -> (index: Int, lane: Lane) {
        var name = "remote-write"
        if let job = labels["job"], let instance = labels["instance"] {
            let own = "remote-write \(MetricText.quoted(job)) \(MetricText.quoted(instance))"
            if indices[own] != nil || (indices.count < Self.mostLanes && own.utf8.count <= 1000) { name = own }
        }
        if let known = indices[name], let lane = lanes[known] { return (known, lane) }
        let lane = try store.openLane(name)
        let index = lanes.firstIndex { $0 == nil } ?? lanes.count
        if index == lanes.count { lanes.append(lane) } else { lanes[index] = lane }
        indices[name] = index
        return (index, lane)
    }
}
