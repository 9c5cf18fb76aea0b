internal import Glibc
internal import MetricModel
internal import MetricStore

/// The place of each series that is written remotely, found by the bytes of its labels in a request. A value.
///
/// Senders may write the labels of a series in several orders, each of which is remembered as a spelling. The spelling
/// with sorted labels is always among them. A removed place takes its spellings with it.
struct SeriesPlaces {
    /// The lane and slot of a series.
    struct Place {
        /// The index of the lane.
        var lane: Int
        var slot: RingSlot
        var lastUsed: Timestamp
        /// The newest sample of the series in the request with this number.
        var request: UInt64 = 0
        var newestTime: Int64 = 0
        /// `nil` for a histogram.
        var newestBits: UInt64?
        /// The first of its spellings.
        fileprivate var spelling = SeriesPlaces.none
        fileprivate var isUsed = true

        init(lane: Int, slot: RingSlot, lastUsed: Timestamp) {
            self.lane = lane
            self.slot = slot
            self.lastUsed = lastUsed
        }
    }

    private struct Spelling {
        var hash: UInt32
        /// The range of the bytes.
        var start: Int
        var length: Int32
        var place: UInt32
        /// Another spelling of the same series.
        var next: UInt32
    }

    fileprivate static let none = UInt32.max
    /// The maximum number of spellings of a series. A sender that keeps to an order needs one or two.
    static let mostSpellings = 4

    private var places: [Place] = []
    private var freePlaces: [Int] = []
    private var spellings: [Spelling] = []
    private var table = IDTable()
    private var bytes: [UInt8] = []
    /// The number of bytes of removed spellings.
    private var unusedBytes = 0
    private var freeSpellings: [UInt32] = []

    /// The number of places.
    var count: Int { places.count - freePlaces.count }
    /// The number of spellings.
    var spellingCount: Int { table.count }
    /// The number of bytes kept for spellings.
    var byteCount: Int { bytes.count }

    /// The place with a number returned by ``find(_:)`` or ``insert(_:as:)``.
    subscript(number: Int) -> Place {
        _read { yield places[number] }
        _modify { yield &places[number] }
    }

    /// The numbers of all places.
    var numbers: some Sequence<Int> { places.indices.lazy.filter { [places] in places[$0].isUsed } }

    /// The number of the place with this spelling.
    func find(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        let hash = unsafe ByteHash.of(UnsafeRawBufferPointer(text))
        let found = table.find(hash) { id in
            let known = spellings[Int(id)]
            guard known.hash == hash, known.length == text.count else { return false }
            return unsafe bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress, let text = text.baseAddress else { return known.length == 0 }
                return unsafe memcmp(base + known.start, text, Int(known.length)) == 0
            }
        }
        return found.map { Int(spellings[Int($0)].place) }
    }

    /// Adds a place with its spelling of sorted labels, which must be new.
    mutating func insert(_ place: Place, as canonical: [UInt8]) -> Int {
        let number = freePlaces.popLast() ?? places.count
        if number == places.count { places.append(place) } else { places[number] = place }
        unsafe canonical.withUnsafeBufferPointer { unsafe add($0, to: number) }
        return number
    }

    /// Adds a spelling, which must be new, if the place has not too many.
    mutating func addSpelling(_ text: UnsafeBufferPointer<UInt8>, of number: Int) {
        var count = 0
        var next = places[number].spelling
        while next != Self.none {
            count += 1
            next = spellings[Int(next)].next
        }
        if count < Self.mostSpellings { unsafe add(text, to: number) }
    }

    private mutating func add(_ text: UnsafeBufferPointer<UInt8>, to number: Int) {
        let spelling = unsafe Spelling(
            hash: ByteHash.of(UnsafeRawBufferPointer(text)), start: bytes.count, length: Int32(text.count),
            place: UInt32(number), next: places[number].spelling)
        unsafe bytes.append(contentsOf: text)
        let id = freeSpellings.popLast() ?? UInt32(spellings.count)
        if Int(id) == spellings.count { spellings.append(spelling) } else { spellings[Int(id)] = spelling }
        places[number].spelling = id
        table.insert(id) { [spellings] in spellings[Int($0)].hash }
    }

    /// Removes a place, whose number may be reused.
    mutating func remove(_ number: Int) {
        guard places[number].isUsed else { return }
        var next = places[number].spelling
        while next != Self.none {
            let spelling = spellings[Int(next)]
            table.remove(next) { [spellings] in spellings[Int($0)].hash }
            unusedBytes += Int(spelling.length)
            freeSpellings.append(next)
            next = spelling.next
        }
        places[number].isUsed = false
        places[number].spelling = Self.none
        freePlaces.append(number)
        if unusedBytes > 1 << 20, 2 * unusedBytes > bytes.count { compact() }
    }

    /// Moves the bytes of the spellings together.
    private mutating func compact() {
        var moved: [UInt8] = []
        moved.reserveCapacity(bytes.count - unusedBytes)
        for place in places where place.isUsed {
            var next = place.spelling
            while next != Self.none {
                let spelling = spellings[Int(next)]
                spellings[Int(next)].start = moved.count
                moved += bytes[spelling.start..<spelling.start + Int(spelling.length)]
                next = spelling.next
            }
        }
        bytes = moved
        unusedBytes = 0
    }
}
