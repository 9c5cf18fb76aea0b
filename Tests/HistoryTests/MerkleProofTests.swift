import Database
import JSON
import TLS
import TestSupport
import Testing

@testable import History

@Suite struct MerkleProofTests {
    private static func leaf(_ number: Int64) -> [UInt8] { MerkleTree.hash(leaf: Array("leaf \(number)".utf8)) }

    private static func tree(_ size: Int64) -> MerkleTree {
        var tree = MerkleTree()
        for number in 0..<size { tree.append(leafHash: leaf(number)) }
        return tree
    }

    /// Reads kept subtrees that appending has completed, as from a table.
    private static func reader(_ size: Int64) -> MerkleReader {
        var tree = MerkleTree()
        var nodes: [MerkleTree.Node] = []
        for number in 0..<size { tree.append(leafHash: leaf(number), completing: &nodes) }
        let kept = nodes
        return MerkleReader { (level, positions) throws(HistoryError) in
            if level == 0 { return positions.filter { $0 < size }.map(leaf) }
            return positions.compactMap { position in
                kept.first { $0.level == level && $0.position == position }?.hash
            }
        }
    }

    @Test func `every leaf of every small tree is proved, and no other`() throws {
        for size in Int64(1)...33 {
            let root = Self.tree(size).root
            let reader = Self.reader(size)
            #expect(try reader.root(of: size) == root)
            for index in 0..<size {
                let path = try reader.inclusion(of: index, in: size)
                #expect(MerkleProof.isIncluded(Self.leaf(index), at: index, in: size, root: root, path: path))
                #expect(!MerkleProof.isIncluded(Self.leaf(index + 1), at: index, in: size, root: root, path: path))
                #expect(!MerkleProof.isIncluded(Self.leaf(index), at: index ^ 1, in: size, root: root, path: path))
                #expect(!MerkleProof.isIncluded(Self.leaf(index), at: index, in: size, root: root, path: path + [root]))
                if !path.isEmpty {
                    let short = Array(path.dropLast())
                    #expect(!MerkleProof.isIncluded(Self.leaf(index), at: index, in: size, root: root, path: short))
                }
            }
        }
    }

    @Test func `every small tree continues every smaller one, and no forked one`() throws {
        for size in Int64(0)...24 {
            let (root, reader) = (Self.tree(size).root, Self.reader(size))
            for old in 0...size {
                let path = try reader.consistency(from: old, to: size)
                let oldRoot = Self.tree(old).root
                #expect(MerkleProof.isConsistent(old, oldRoot, with: size, root, path: path), "\(old) to \(size)")
                if old > 0 {
                    let fork = MerkleTree.hash(leaf: [1])
                    #expect(!MerkleProof.isConsistent(old, fork, with: size, root, path: path))
                    #expect(!MerkleProof.isConsistent(old, oldRoot, with: size, fork, path: path))
                    #expect(!MerkleProof.isConsistent(old, oldRoot, with: size, root, path: path + [fork]))
                }
            }
            #expect(!MerkleProof.isConsistent(size + 1, root, with: size, root, path: []))
        }
    }

    @Test func `kept subtrees give the same proofs as the leaves`() throws {
        let size: Int64 = 66_000
        let reader = Self.reader(size)
        let tree = Self.tree(size)
        #expect(try reader.root(of: size) == tree.root)
        for index in [0, 255, 256, 65_535, 65_536, 65_999] as [Int64] {
            let path = try reader.inclusion(of: index, in: size)
            #expect(MerkleProof.isIncluded(Self.leaf(index), at: index, in: size, root: tree.root, path: path))
        }
        for old in [1, 256, 300, 65_536, 65_537] as [Int64] {
            let path = try reader.consistency(from: old, to: size)
            #expect(MerkleProof.isConsistent(old, Self.tree(old).root, with: size, tree.root, path: path))
        }
    }

    @Test(arguments: EvidenceWorld.kinds) func `an entry is proved from the database and checked without it`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        let old = try world.record(1...300)
        try world.record(301...600)
        let nodes = try world.ledger().store.rows("SELECT level, position FROM tree_node ORDER BY position")
        #expect(nodes == [[.integer(8), .integer(0)], [.integer(8), .integer(1)]])
        #expect(try world.audit.verify(.init(checkpoints: [old])).problems == [])
        for sequence in [1, 256, 257, 604] as [Int64] {
            let proof = try world.audit.prove(sequence)
            #expect(try world.audit.check(LedgerProof(json: proof.json)) == nil)
            var wrong = proof
            wrong.leaf = wrong.leaf.replacing("\"kind\":\"", with: "\"kind\":\"x")
            #expect(try world.audit.check(wrong) != nil)
        }
        #expect(try world.audit.check(world.audit.prove(7, checkpoint: old)) == nil)
        #expect(throws: HistoryError.self) { try world.audit.prove(10_000) }
        #expect(throws: HistoryError.self) { try world.audit.prove(600, checkpoint: old) }
        // A stored subtree that was changed is found, and so is the proof that it breaks.
        try world.configuration.openStore().run(
            "UPDATE tree_node SET hash = (SELECT hash FROM ledger WHERE sequence = 1)")
        #expect(try world.audit.verify().problems.map(\.sequences) == [1...256, 257...512])
        #expect(try world.audit.check(world.audit.prove(7)) != nil)
    }
}
