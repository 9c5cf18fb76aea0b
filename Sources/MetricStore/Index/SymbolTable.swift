internal import MetricModel

/// Every text used as a label name or value, once, compared by bytes. Ids of removed texts are reused.
struct SymbolTable {
    var texts: [String] = []
    var hashes: [UInt32] = []
    var references: [UInt32] = []
    var free: [UInt32] = []
    var table = IDTable()

    /// Number of texts.
    var count: Int { table.count }

    /// The texts, in no particular order.
    var all: [String] { texts.indices.filter { references[$0] > 0 }.map { texts[$0] } }

    subscript(symbol: UInt32) -> String { texts[Int(symbol)] }

    /// The symbol of `text`, if it is in the table.
    func find(_ text: String) -> UInt32? {
        find(text, ByteHash.of(text))
    }

    /// The same with the hash of `text`.
    func find(_ text: String, _ hash: UInt32) -> UInt32? {
        table.find(hash) { hashes[Int($0)] == hash && ByteOrder.equal(texts[Int($0)], text) }
    }

    /// The symbol of `text`. Release it with ``release(_:)``.
    mutating func retain(_ text: String) -> UInt32 {
        retain(text, ByteHash.of(text))
    }

    /// Adds a reference to an existing symbol.
    mutating func retain(_ symbol: UInt32) {
        references[Int(symbol)] += 1
    }

    /// The same with the hash of `text`.
    mutating func retain(_ text: String, _ hash: UInt32) -> UInt32 {
        if let known = find(text, hash) {
            references[Int(known)] += 1
            return known
        }
        var text = text
        text.makeContiguousUTF8()
        let symbol: UInt32
        if let reused = free.popLast() {
            symbol = reused
            texts[Int(symbol)] = text
            hashes[Int(symbol)] = hash
            references[Int(symbol)] = 1
        } else {
            symbol = UInt32(texts.count)
            texts.append(text)
            hashes.append(hash)
            references.append(1)
        }
        table.insert(symbol) { hashes[Int($0)] }
        return symbol
    }

    /// Removes one reference.
    mutating func release(_ symbol: UInt32) {
        references[Int(symbol)] -= 1
        guard references[Int(symbol)] == 0 else { return }
        table.remove(symbol) { hashes[Int($0)] }
        texts[Int(symbol)] = ""
        free.append(symbol)
    }
}
