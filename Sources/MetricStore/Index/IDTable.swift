/// A hash table of ids whose keys are stored elsewhere: four bytes per entry, linear probing, no tombstones.
package struct IDTable {
    /// id + 1; 0 is empty. The count is a power of two.
    var buckets = [UInt32](repeating: 0, count: 64)
    package var count = 0

    package init() {}

    /// The id with this hash for which `matches` returns true.
    package func find(_ hash: UInt32, _ matches: (UInt32) -> Bool) -> UInt32? {
        var index = Int(hash) & (buckets.count - 1)
        while buckets[index] != 0 {
            if matches(buckets[index] - 1) { return buckets[index] - 1 }
            index = (index + 1) & (buckets.count - 1)
        }
        return nil
    }

    /// Adds `id`, which must not be in the table. `hash` returns the hash of an id.
    package mutating func insert(_ id: UInt32, hash: (UInt32) -> UInt32) {
        if (count + 1) * 4 > buckets.count * 3 {
            let old = buckets
            buckets = [UInt32](repeating: 0, count: old.count * 2)
            for entry in old where entry != 0 { place(entry, hash(entry - 1)) }
        }
        place(id + 1, hash(id))
        count += 1
    }

    /// Adds `ids`, none of which may be in the table. The table grows at most once.
    mutating func insert(all ids: Range<UInt32>, hash: (UInt32) -> UInt32) {
        var size = buckets.count
        while (count + ids.count) * 4 > size * 3 { size *= 2 }
        let old = size > buckets.count ? buckets : []
        if size > buckets.count { buckets = [UInt32](repeating: 0, count: size) }
        for entry in old where entry != 0 { place(entry, hash(entry - 1)) }
        for id in ids { place(id + 1, hash(id)) }
        count += ids.count
    }

    /// Removes `id` and closes the gap.
    package mutating func remove(_ id: UInt32, hash: (UInt32) -> UInt32) {
        let mask = buckets.count - 1
        var gap = Int(hash(id)) & mask
        while buckets[gap] != id + 1 {
            if buckets[gap] == 0 { return }
            gap = (gap + 1) & mask
        }
        var next = (gap + 1) & mask
        while buckets[next] != 0 {
            let home = Int(hash(buckets[next] - 1)) & mask
            // The entry may move into the gap unless its home is after the gap.
            if (next - home) & mask >= (next - gap) & mask {
                buckets[gap] = buckets[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        buckets[gap] = 0
        count -= 1
    }

    private mutating func place(_ entry: UInt32, _ hash: UInt32) {
        var index = Int(hash) & (buckets.count - 1)
        while buckets[index] != 0 { index = (index + 1) & (buckets.count - 1) }
        buckets[index] = entry
    }
}
