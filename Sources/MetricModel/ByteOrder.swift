internal import Glibc

/// Bytewise comparison of strings.
///
/// Swift compares strings by canonical equivalence, which would treat two different label values (composed and
/// decomposed "é") as one series. Prometheus compares bytes, and so does all code here that identifies or sorts series.
public enum ByteOrder {
    /// Whether both strings have the same bytes.
    public static func equal(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && compare(left, right) == 0
    }

    /// Whether `left` comes before `right`.
    public static func precedes(_ left: String, _ right: String) -> Bool {
        compare(left, right) < 0
    }

    private static func compare(_ left: String, _ right: String) -> Int {
        let fast = unsafe left.utf8.withContiguousStorageIfAvailable { left in
            unsafe right.utf8.withContiguousStorageIfAvailable { right in
                let common = min(left.count, right.count)
                if let first = left.baseAddress, let second = right.baseAddress {
                    let order = unsafe memcmp(first, second, common)
                    if order != 0 { return Int(order) }
                }
                return left.count - right.count
            }
        }
        if let order = fast ?? nil { return order }
        if left.utf8.elementsEqual(right.utf8) { return 0 }
        return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
    }
}
