internal import MetricModel
internal import MetricStore

/// The lane and slot of each remotely written series. A value; used by one thread at a time.
///
/// A sender passes on scraped samples, so the samples of a target have common timestamps. Each pair of `job` and
/// `instance` gets a lane, whose rows are then as dense as those of a scraped target. Series without either, and those
/// of more targets than ``mostLanes``, share one lane.
struct RemoteWriteLanes {
    /// The lane and slot of a series.
    struct Place: Equatable {
        /// The index of the lane; valid until the next ``sweep(now:)``.
        var lane: Int
        var slot: RingSlot
        var lastUsed: Timestamp
    }

    /// Limits the memory of lanes, because senders choose the labels.
    static let mostLanes = 1000
    /// A series without samples for this long loses its slot. It gets another one when it returns.
    private static let idleLimit: Milliseconds = .hours(1)
    /// The interval of searches for idle series.
    private static let sweepInterval: Milliseconds = .minutes(5)

    private let store: MetricStore
    private var lanes: [Lane?] = []
    private var indices: [String: Int] = [:]
    private var places: [Labels: Place] = [:]
    private var nextSweep = Timestamp.distantPast

    init(_ store: MetricStore) {
        self.store = store
    }

    /// The number of series with a slot.
    var placeCount: Int { places.count }
    /// The number of open lanes.
    var laneCount: Int { indices.count }

    /// The lane of a place that was assigned since the last sweep.
    func lane(_ index: Int) -> Lane? { lanes[index] }

    /// The place of a series; created if it is new.
    ///
    /// - Returns: also whether it is new; then ``give(up:)`` can remove it.
    mutating func place(for labels: Labels, now: Timestamp) throws(StoreError) -> (place: Place, isNew: Bool) {
        if let known = places[labels] {
            places[labels]?.lastUsed = now
            return (known, false)
        }
        let (index, lane) = try lane(for: labels)
        let place = Place(lane: index, slot: try lane.slot(for: labels), lastUsed: now)
        places[labels] = place
        return (place, true)
    }

    /// Removes places that were created and not used.
    mutating func give(up series: [Labels]) {
        for labels in series {
            guard let place = places.removeValue(forKey: labels) else { continue }
            lanes[place.lane]?.retire(place.slot)
        }
    }

    /// Removes all places, so that slots are requested again.
    mutating func forgetPlaces() {
        places = [:]
    }

    /// Releases the slots of series without recent samples, and lanes without series, so that their
    /// memory is reused.
    mutating func sweep(now: Timestamp) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        var used: Set<Int> = []
        for (labels, place) in places {
            if now - place.lastUsed > Self.idleLimit {
                lanes[place.lane]?.retire(place.slot)
                places[labels] = nil
            } else {
                used.insert(place.lane)
            }
        }
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
