internal import TLS

/// The Merkle tree of RFC 6962 over a growing list of leaves, stored as its frontier: the roots of the perfect subtrees
/// of the list, largest first. A leaf is added in O(1) amortised, and the root computed in O(log *n*).
///
/// ```text
///   7 leaves:      a       b    c        frontier [a, b, c], sizes 4, 2, 1 = the bits of 7
///                /   \    / \   |
///               ·     ·  4   5  6        root = H(a, H(b, c))
///              / \   / \
///             0   1 2   3
/// ```
public struct MerkleTree: Equatable, Sendable {
    /// Number of leaves.
    public private(set) var size: Int64 = 0
    private var frontier: [[UInt8]] = []

    /// The root of a perfect subtree that is stored, so that proofs need not read all leaves.
    struct Node: Equatable, Sendable {
        /// Covers 2^level leaves.
        var level: Int
        /// The index of the subtree in its level, from 0.
        var position: Int64
        var hash: [UInt8]
    }

    /// Subtrees of 256, 256², … leaves are stored: the tiles of C2SP tlog-tiles.
    static let nodeLevels = 8

    /// The tree without leaves.
    public init() {}

    /// The tree of `size` leaves with an ``encodedFrontier``; `nil` if they do not match.
    public init?(size: Int64, encodedFrontier: [UInt8]) {
        guard size >= 0, encodedFrontier.count == size.nonzeroBitCount * SHA256.byteCount else { return nil }
        self.size = size
        frontier = stride(from: 0, to: encodedFrontier.count, by: SHA256.byteCount).map {
            Array(encodedFrontier[$0..<$0 + SHA256.byteCount])
        }
    }

    /// The concatenated hashes of the frontier.
    public var encodedFrontier: [UInt8] { Array(frontier.joined()) }

    /// The hash of a leaf: SHA-256(0x00 ‖ leaf).
    public static func hash(leaf: [UInt8]) -> [UInt8] { SHA256.hash([0] + leaf) }

    /// The hash of a node: SHA-256(0x01 ‖ left ‖ right).
    static func hash(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { SHA256.hash([1] + left + right) }

    /// Adds a leaf by its hash.
    public mutating func append(leafHash: [UInt8]) {
        var ignored: [Node] = []
        append(leafHash: leafHash, completing: &ignored)
    }

    /// Adds a leaf by its hash, and adds the subtrees to store that it completes to `nodes`.
    mutating func append(leafHash: [UInt8], completing nodes: inout [Node]) {
        var hash = leafHash
        // Every trailing one bit of the old size is a subtree that the new leaf completes.
        for level in 0..<(~size).trailingZeroBitCount {
            hash = MerkleTree.hash(frontier.removeLast(), hash)
            let height = level + 1
            if height % Self.nodeLevels == 0 { nodes.append(Node(level: height, position: size >> height, hash: hash)) }
        }
        frontier.append(hash)
        size += 1
        assert(frontier.count == size.nonzeroBitCount)
    }

    /// The tree's hash; that of the empty tree is SHA-256 of nothing.
    public var root: [UInt8] {
        guard var hash = frontier.last else { return SHA256.hash([UInt8]()) }
        for left in frontier.dropLast().reversed() { hash = MerkleTree.hash(left, hash) }
        return hash
    }
}
