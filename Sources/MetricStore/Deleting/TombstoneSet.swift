internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// Deleted samples: those of matching series in a window. They stay on disk until their segment is deleted, and are
/// omitted from all reads.
struct Tombstone: Equatable, Sendable {
    /// The matchers, all of which must match.
    var matchers: [Matcher]
    /// Milliseconds; both ends are inclusive.
    var window: ClosedRange<Int64>
}

/// The deleted samples of a store, and their file. May be shared between threads.
final class TombstoneSet: Sendable {
    fileprivate struct Entry {
        let tombstone: Tombstone
        let matchers: [CompiledMatcher]

        func covers(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.accepts(labels[$0.name] ?? "") } }
    }

    /// The deletions that affect a query. A value.
    struct Mask {
        private let entries: [Entry]

        fileprivate init(_ entries: [Entry]) {
            self.entries = entries
        }

        /// Whether nothing is deleted.
        var isEmpty: Bool { entries.isEmpty }

        /// The windows in which the series `labels` has no samples any more.
        func windows(_ labels: Labels) -> [ClosedRange<Int64>] {
            entries.filter { $0.covers(labels) }.map(\.tombstone.window)
        }
    }

    /// The limit of deletions: each one is checked by every query in its window.
    static let capacity = 10_000
    private static let magic = Array("TRBTMB01".utf8)

    private let path: String?
    private let entries = Mutex<[Entry]>([])
    private let count = Atomic(0)
    private let notes = Mutex<[String]>([])

    /// - Parameter path: the file; `nil` for a store in memory.
    init(path: String?) {
        self.path = path
        guard let path, Paths.exists(path) else { return }
        do throws(SelectError) {
            guard let read = Self.read(path) else {
                notes.withLock { $0.append("\(path) is damaged: \(StoreDirectory.setAside(path))") }
                return
            }
            try replace(by: read)
        } catch {
            notes.withLock { $0.append("\(path): \(error.message): \(StoreDirectory.setAside(path))") }
        }
    }

    /// Errors of the file since the last call, one line each.
    func takeNotes() -> [String] {
        notes.withLock { notes in
            defer { notes = [] }
            return notes
        }
    }

    /// The deletions in `window`.
    func mask(_ window: ClosedRange<Int64>) -> Mask {
        if count.load(ordering: .acquiring) == 0 { return Mask([]) }
        return Mask(entries.withLock { $0.filter { $0.tombstone.window.overlaps(window) } })
    }

    /// Adds the deletions `fresh`, and writes the file. Changes nothing on failure.
    func add(_ fresh: [Tombstone]) throws(StoreError) {
        let all = entries.withLock { $0.map(\.tombstone) } + fresh
        guard all.count <= Self.capacity else {
            throw StoreError(.system, "more than \(Self.capacity) deletions")
        }
        try write(all)
        do throws(SelectError) { try replace(by: all) } catch { throw StoreError(.system, error.message) }
    }

    /// Drops deletions whose samples are all older than `time`, in milliseconds.
    func drop(before time: Int64) {
        guard count.load(ordering: .acquiring) > 0 else { return }
        let all = entries.withLock { $0.map(\.tombstone) }
        let kept = all.filter { $0.window.upperBound >= time }
        guard kept.count < all.count else { return }
        // On a full disk the next call retries. Until then more deletions than necessary are checked.
        guard (try? write(kept)) != nil else { return }
        entries.withLock { entries in
            entries.removeAll { $0.tombstone.window.upperBound < time }
            count.store(entries.count, ordering: .releasing)
        }
    }

    private func replace(by tombstones: [Tombstone]) throws(SelectError) {
        var next: [Entry] = []
        for tombstone in tombstones {
            var matchers: [CompiledMatcher] = []
            for matcher in tombstone.matchers { matchers.append(try CompiledMatcher(matcher)) }
            next.append(Entry(tombstone: tombstone, matchers: matchers))
        }
        entries.withLock { $0 = next }
        count.store(next.count, ordering: .releasing)
    }

    // MARK: File

    private func write(_ tombstones: [Tombstone]) throws(StoreError) {
        guard let path else { return }
        var payload: [UInt8] = []
        payload.append(varint: UInt64(tombstones.count))
        for tombstone in tombstones {
            payload.append(fixed: tombstone.window.lowerBound)
            payload.append(fixed: tombstone.window.upperBound)
            payload.append(varint: UInt64(tombstone.matchers.count))
            for matcher in tombstone.matchers {
                payload.append(text: matcher.name)
                payload.append(text: matcher.operation.rawValue)
                payload.append(text: matcher.value)
            }
        }
        var bytes = Self.magic
        bytes.append(fixed: unsafe payload.withUnsafeBytes { unsafe ByteHash.checksum($0) })
        bytes += payload
        _ = try OpenFile.make(path) { file throws(StoreError) in
            try file.write(bytes[...], at: 0)
        }
    }

    /// `nil` if the file is invalid.
    private static func read(_ path: String) -> [Tombstone]? {
        guard let bytes = try? FileText.bytes(path, limit: 64 << 20), bytes.starts(with: magic), bytes.count >= 16
        else {
            return nil
        }
        let payload = Array(bytes[16...])
        var sum: [UInt8] = []
        sum.append(fixed: unsafe payload.withUnsafeBytes { unsafe ByteHash.checksum($0) })
        guard sum == Array(bytes[8..<16]) else { return nil }
        var reader = TombstoneReader(bytes: payload)
        return reader.tombstones()
    }
}

/// Reads the format of ``TombstoneSet``. The checksum is valid, so errors are rare; they never trap.
private struct TombstoneReader {
    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func tombstones() -> [Tombstone]? {
        guard let count = varint(), count <= UInt64(TombstoneSet.capacity) else { return nil }
        var result: [Tombstone] = []
        for _ in 0..<count {
            guard let from = fixed(), let through = fixed(), from <= through, let matchers = varint(), matchers < 1000
            else { return nil }
            var tombstone = Tombstone(matchers: [], window: from...through)
            for _ in 0..<matchers {
                guard let name = text(), let operation = text().flatMap({ Matcher.Operation(rawValue: $0) }),
                    let value = text()
                else { return nil }
                tombstone.matchers.append(Matcher(name, operation, value))
            }
            result.append(tombstone)
        }
        return position == bytes.count ? result : nil
    }

    private mutating func fixed() -> Int64? {
        guard position + 8 <= bytes.count else { return nil }
        defer { position += 8 }
        return Int64(
            bitPattern: bytes[position..<position + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    private mutating func varint() -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }

    private mutating func text() -> String? {
        guard let count = varint(), count <= UInt64(bytes.count - position) else { return nil }
        defer { position += Int(count) }
        return String(decoding: bytes[position..<position + Int(count)], as: UTF8.self)
    }
}
