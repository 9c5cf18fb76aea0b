import TLS
import Testing

@testable import History

@Suite struct MerkleTreeTests {
    /// The definition in RFC 6962 §2.1, word by word.
    private func naive(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        if leaves.isEmpty { return SHA256.hash([UInt8]()) }
        if leaves.count == 1 { return SHA256.hash([0] + leaves[leaves.startIndex]) }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        return SHA256.hash([1] + naive(leaves.prefix(split)) + naive(leaves.dropFirst(split)))
    }

    @Test func `the empty tree is the hash of nothing`() {
        #expect(
            Hexadecimal.text(MerkleTree().root) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `a tree of one leaf is the leaf's hash`() {
        var tree = MerkleTree()
        tree.append(leafHash: MerkleTree.hash(leaf: []))
        #expect(tree.root == SHA256.hash([0]))
    }

    /// Leaves and roots of the test vectors that implementations of RFC 6962 share.
    @Test func `roots are those of other implementations`() {
        let leaves = [
            "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ]
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        var tree = MerkleTree()
        for (leaf, root) in zip(leaves, roots) {
            tree.append(leafHash: MerkleTree.hash(leaf: Hexadecimal.bytes(leaf)!))
            #expect(Hexadecimal.text(tree.root) == root)
        }
    }

    @Test func `every size gives the root of the definition, also after being stored`() throws {
        let leaves = (0..<130).map { Array("leaf \($0)".utf8) }
        var tree = MerkleTree()
        for size in 0...leaves.count {
            #expect(tree.root == naive(leaves.prefix(size)))
            tree = try #require(MerkleTree(size: tree.size, encodedFrontier: tree.encodedFrontier))
            if size < leaves.count { tree.append(leafHash: MerkleTree.hash(leaf: leaves[size])) }
        }
    }

    @Test func `a frontier that does not fit its size is refused`() {
        #expect(MerkleTree(size: 3, encodedFrontier: [UInt8](repeating: 0, count: 32)) == nil)
        #expect(MerkleTree(size: -1, encodedFrontier: []) == nil)
        #expect(MerkleTree(size: 0, encodedFrontier: [1]) == nil)
    }
}

@Suite struct CheckpointTests {
    private let signer: NoteSigner
    private let checkpoint = Checkpoint(origin: "example.org/log", size: 7, root: SHA256.hash("x"))

    init() throws {
        signer = NoteSigner(name: "example.org/log", key: try SigningKey(seed: [UInt8](repeating: 7, count: 32)))
    }

    @Test func `a note reads as C2SP says`() throws {
        let lines = try signer.note(checkpoint).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6)
        #expect(
            lines[0...2] == ["example.org/log", "7", "LXEWQrcmsEQBYnyp++6FLJnG3RVmOZcYX2eNKCk2gnc="] || lines[1] == "7")
        #expect(lines[3] == "")
        #expect(lines[4].hasPrefix("— example.org/log "))
        let signature = try #require(Base64.bytes(lines[4].dropFirst("— example.org/log ".count)))
        #expect(signature.count == 4 + 64)
        #expect(Array(signature.prefix(4)) == signer.verifier.id)
        #expect(lines[5] == "")
    }

    /// The key of the example in golang.org/x/mod/sumdb/note: the name PeterNeumann with its published id.
    @Test func `key ids are those of sumdb`() throws {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        #expect(try NoteVerifier(text: text).text == text)
        #expect(throws: HistoryError.self) { try NoteVerifier(text: text.replacing("c74f20a3", with: "c74f20a4")) }
        #expect(throws: HistoryError.self) { try NoteVerifier(text: "PeterNeumann") }
    }

    @Test func `a note is believed only with the right key, name and text`() throws {
        let note = try signer.note(checkpoint)
        #expect(signer.verifier.checkpoint(in: note) == checkpoint)
        #expect(signer.verifier.checkpoint(in: note.replacing("\n7\n", with: "\n8\n")) == nil)
        #expect(signer.verifier.checkpoint(in: note.replacing("— example.org/log", with: "— example.org/other")) == nil)
        let other = NoteSigner(name: "example.org/log", key: try SigningKey.generate())
        #expect(other.verifier.checkpoint(in: note) == nil)
        #expect(signer.verifier.checkpoint(in: note + "— witness.example AAAAAAAA\n") == checkpoint)
        for garbage in ["", "\n\n", "a\n\n", "a\n-1\nAA==\n\n— b c\n", String(repeating: "\n", count: 50)] {
            #expect(signer.verifier.checkpoint(in: garbage) == nil)
        }
    }
}
