/// The greatest (or least) elements of a group, at most `limit` of them.
///
/// A heap with the worst element first. Which of several equal elements stay depends on how the heap is built; it is
/// the same as in Prometheus.
struct BestElements {
    private let limit: Int
    private let isTop: Bool
    private var heap: [(row: Int, value: Double)] = []

    init(_ limit: Int, isTop: Bool) {
        self.limit = limit
        self.isTop = isTop
    }

    /// Adds the element if it is better than the worst one.
    mutating func offer(_ row: Int, _ value: Double) {
        if heap.count < limit {
            heap.append((row, value))
            rise(heap.count - 1)
        } else if let worst = heap.first?.value {
            guard worst.isNaN ? !value.isNaN : isTop ? worst < value : worst > value else { return }
            heap[0] = (row, value)
            sink()
        }
    }

    /// The rows from the best to the worst, NaN last.
    var ranked: [Int] {
        heap.enumerated().sorted { first, second in
            let (left, right) = (first.element.value, second.element.value)
            if left.isNaN || right.isNaN {
                return left.isNaN == right.isNaN ? first.offset < second.offset : right.isNaN
            }
            return left == right ? first.offset < second.offset : isTop ? left > right : left < right
        }.map(\.element.row)
    }

    private func isWorse(_ first: Int, _ second: Int) -> Bool {
        let (left, right) = (heap[first].value, heap[second].value)
        return left.isNaN || (isTop ? left < right : left > right)
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard isWorse(child, parent) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func sink() {
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, isWorse(child + 1, child) { child += 1 }
            guard isWorse(child, parent) else { return }
            heap.swapAt(parent, child)
            parent = child
        }
    }
}
