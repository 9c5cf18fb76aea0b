import Runtime
import TestSupport
import Testing

@Suite struct DeadlineQueueTests {
    /// Against a sorted array, with places used again and again.
    @Test func elementsComeByDeadline() {
        var random = SeededGenerator()
        var queue = DeadlineQueue<Int>()
        var model: [(deadline: Int64, element: Int)] = []
        for step in 0..<5000 {
            if random.next() % 5 < 3 {
                let deadline = Int64(random.next() % 1000)
                queue.insert(step, at: deadline)
                model.append((deadline, step))
            } else {
                let now = Int64(random.next() % 1000)
                let earliest = model.map(\.deadline).min()
                #expect(queue.next == earliest)
                guard let element = queue.popFirst(notAfter: now) else {
                    #expect(earliest.map { $0 > now } ?? true)
                    continue
                }
                let index = model.firstIndex { $0.element == element }
                #expect(index.map { model[$0].deadline } == earliest)
                if let index { model.remove(at: index) }
            }
        }
        while queue.popFirst(notAfter: .max) != nil { model.removeLast() }
        #expect(model.isEmpty && queue.next == nil, "TRIBUNE_SEED=\(random.seed)")
    }

    @Test func elementsThatNobodyWantsAreDropped() {
        var queue = DeadlineQueue<Int>()
        for deadline in 1...9 { queue.insert(deadline, at: Int64(deadline)) }
        #expect(queue.next { $0 >= 4 } == 4)
        #expect(queue.popFirst(notAfter: 3) == nil)
        #expect(queue.popFirst(notAfter: 4) == 4)
        #expect(queue.next { _ in false } == nil)
        #expect(queue.popFirst(notAfter: .max) == nil)
    }
}
