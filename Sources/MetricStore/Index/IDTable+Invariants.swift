extension IDTable {
    /// The violated rules of this table. `hash` returns the hash of an id.
    func brokenInvariants(hash: (UInt32) -> UInt32) -> [String] {
        var report = InvariantReport()
        let mask = buckets.count - 1
        report.expect(buckets.count & mask == 0, "the number of buckets is a power of two")
        var seen: Set<UInt32> = []
        for (position, entry) in buckets.enumerated() where entry != 0 {
            report.expect(seen.insert(entry).inserted, "id \(entry - 1) is in the table once")
            // Probing from the home bucket must reach the entry before an empty bucket.
            var index = Int(hash(entry - 1)) & mask
            while index != position, buckets[index] != 0 { index = (index + 1) & mask }
            report.expect(index == position, "id \(entry - 1) can be found from its hash")
        }
        report.expect(seen.count == count, "the count \(count) equals the number of entries, \(seen.count)")
        report.expect(4 * count <= 3 * buckets.count, "a quarter of the buckets is empty")
        return report.broken
    }
}
