/// Inclusion and consistency proofs of RFC 6962, built from stored subtrees and verified without them.
public enum MerkleProof {
    /// Whether `path` shows that the leaf with `leafHash` is leaf `index` (from 0) of the tree of `size` leaves with
    /// `root`.
    public static func isIncluded(
        _ leafHash: [UInt8], at index: Int64, in size: Int64, root: [UInt8], path: [[UInt8]]
    ) -> Bool {
        guard index >= 0, index < size else { return false }
        // As in RFC 9162, 2.1.3.2.
        var (position, last) = (index, size - 1)
        var hash = leafHash
        for sibling in path {
            if last == 0 { return false }
            if position & 1 == 1 || position == last {
                hash = MerkleTree.hash(sibling, hash)
                while position & 1 == 0, position != 0 {
                    position >>= 1
                    last >>= 1
                }
            } else {
                hash = MerkleTree.hash(hash, sibling)
            }
            position >>= 1
            last >>= 1
        }
        return last == 0 && hash == root
    }

    /// Whether `path` shows that the tree of `size` leaves with `root` continues the one of `oldSize` leaves with
    /// `oldRoot`.
    public static func isConsistent(
        _ oldSize: Int64, _ oldRoot: [UInt8], with size: Int64, _ root: [UInt8], path: [[UInt8]]
    ) -> Bool {
        guard oldSize >= 0, oldSize <= size else { return false }
        if oldSize == 0 { return path.isEmpty }
        if oldSize == size { return path.isEmpty && oldRoot == root }
        // As in RFC 9162, 2.1.4.2.
        var path = path[...]
        if oldSize.nonzeroBitCount == 1 { path = ([oldRoot] + path)[...] }
        guard let first = path.popFirst() else { return false }
        var (position, last) = (oldSize - 1, size - 1)
        while position & 1 == 1 {
            position >>= 1
            last >>= 1
        }
        var (old, new) = (first, first)
        for sibling in path {
            if last == 0 { return false }
            if position & 1 == 1 || position == last {
                old = MerkleTree.hash(sibling, old)
                new = MerkleTree.hash(sibling, new)
                while position & 1 == 0, position != 0 {
                    position >>= 1
                    last >>= 1
                }
            } else {
                new = MerkleTree.hash(new, sibling)
            }
            position >>= 1
            last >>= 1
        }
        return last == 0 && old == oldRoot && new == root
    }
}

/// Computes hashes of ranges of leaves from stored hashes.
struct MerkleReader {
    /// The stored hashes of `level` (0 for leaves, then multiples of ``MerkleTree/nodeLevels``) at `positions`, in
    /// order. A shorter result means that some are missing.
    var hashes: (_ level: Int, _ positions: Range<Int64>) throws(HistoryError) -> [[UInt8]]

    /// The root over the first `size` leaves.
    func root(of size: Int64) throws(HistoryError) -> [UInt8] {
        size == 0 ? MerkleTree().root : try hash(of: 0..<size)
    }

    /// The path that proves leaf `index` in the tree of `size` leaves.
    func inclusion(of index: Int64, in size: Int64) throws(HistoryError) -> [[UInt8]] {
        guard index >= 0, index < size else {
            throw HistoryError(.invalid, "the tree of \(size) leaves has no leaf \(index)")
        }
        var range = 0..<size
        var path: [[UInt8]] = []
        while range.count > 1 {
            let middle = range.lowerBound + Self.split(range.upperBound - range.lowerBound)
            if index < middle {
                path.append(try hash(of: middle..<range.upperBound))
                range = range.lowerBound..<middle
            } else {
                path.append(try hash(of: range.lowerBound..<middle))
                range = middle..<range.upperBound
            }
        }
        return path.reversed()
    }

    /// The path that proves that the tree of `size` leaves continues the one of `old` leaves.
    func consistency(from old: Int64, to size: Int64) throws(HistoryError) -> [[UInt8]] {
        guard old >= 0, old <= size else {
            throw HistoryError(.invalid, "a tree of \(size) leaves does not continue one of \(old)")
        }
        if old == 0 || old == size { return [] }
        var range = 0..<size
        var path: [[UInt8]] = []
        // Whether the old tree is a whole subtree so far, whose root is known to the verifier.
        var isWhole = true
        while range.upperBound != old {
            let middle = range.lowerBound + Self.split(range.upperBound - range.lowerBound)
            if old <= middle {
                path.append(try hash(of: middle..<range.upperBound))
                range = range.lowerBound..<middle
            } else {
                path.append(try hash(of: range.lowerBound..<middle))
                range = middle..<range.upperBound
                isWhole = false
            }
        }
        if !isWhole { path.append(try hash(of: range)) }
        return path.reversed()
    }

    /// The root over a range that a subtree of the tree covers.
    func hash(of range: Range<Int64>) throws(HistoryError) -> [UInt8] {
        let count = range.upperBound - range.lowerBound
        guard count.nonzeroBitCount > 1 else { return try perfect(range, count) }
        let middle = range.lowerBound + Self.split(count)
        return MerkleTree.hash(try hash(of: range.lowerBound..<middle), try hash(of: middle..<range.upperBound))
    }

    private func perfect(_ range: Range<Int64>, _ count: Int64) throws(HistoryError) -> [UInt8] {
        let level = count.trailingZeroBitCount
        let stored = level / MerkleTree.nodeLevels * MerkleTree.nodeLevels
        let positions = range.lowerBound >> stored..<range.upperBound >> stored
        var row = try hashes(stored, positions)
        guard row.count == positions.count else {
            throw HistoryError(
                .malformed, "hashes of the tree over entries \(range.lowerBound + 1)-\(range.upperBound) are missing")
        }
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { MerkleTree.hash(row[$0], row[$0 + 1]) }
        }
        return row[0]
    }

    /// The largest power of two below `count`.
    private static func split(_ count: Int64) -> Int64 { 1 << (63 - (count - 1).leadingZeroBitCount) }
}
