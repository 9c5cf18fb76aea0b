import Testing

/// Every interleaving of the writer and a reader of `ActiveChunk`, with every value that weak memory allows a load.
@Suite struct InterleavingTests {
    /// The memory depends on the writer's steps alone, since readers store nothing.
    private struct State: Hashable {
        var writerSteps = 0
        var reader = WeakMemory.ThreadState(locations: ChunkProtocol.Word.count)
        var program = ChunkReader()
        var readerSteps = 0
    }

    private struct Outcome {
        var states = 0
        var results: Set<[Int]> = []
        var violation: String?
    }

    /// The memory after each of the writer's steps.
    private func memories(_ weakening: ChunkProtocol.Weakening?) -> [WeakMemory] {
        var writer = WeakMemory.ThreadState(locations: ChunkProtocol.Word.count)
        var memory = WeakMemory(locations: ChunkProtocol.Word.count)
        return [memory]
            + ChunkProtocol.writer(weakening).map { step in
                switch step {
                case .store(let value, let location, let order):
                    memory.store(value, to: location, order, by: &writer)
                case .releaseFence: WeakMemory.releaseFence(&writer)
                }
                return memory
            }
    }

    /// Visits all states of writer and reader together.
    private func explore(_ weakening: ChunkProtocol.Weakening?) -> Outcome {
        let memories = memories(weakening)
        var outcome = Outcome()
        var seen: Set<State> = [State()]
        var open = [State()]
        while let state = open.popLast() {
            outcome.states += 1
            if let violation = violation(state.program) {
                outcome.violation = violation
                return outcome
            }
            if state.program.step == .done {
                outcome.results.insert(state.program.read)
                continue
            }
            let memory = memories[state.writerSteps]
            let following = state.program.next(memory, state.reader, weakening)
            // Wait-freedom: a reader can always take a step, whatever the writer does, and takes a bounded number of
            // them. The writer's program has no branch and no load, so it does not depend on what a reader does.
            if following.isEmpty || state.readerSteps > ChunkReader.mostSteps {
                outcome.violation = "a reader does not come to an end"
                return outcome
            }
            var all = following.map { program, reader in
                State(
                    writerSteps: state.writerSteps, reader: reader, program: program,
                    readerSteps: state.readerSteps + 1)
            }
            if state.writerSteps + 1 < memories.count {
                var next = state
                next.writerSteps += 1
                all.append(next)
            }
            for next in all where seen.insert(next).inserted { open.append(next) }
        }
        return outcome
    }

    private func violation(_ reader: ChunkReader) -> String? {
        switch reader.step {
        case .lost: "a chunk that was turned from is not in the directory"
        case .done where reader.read != reader.expected: "read \(reader.read) instead of \(reader.expected)"
        default: nil
        }
    }

    @Test func everyReaderSeesWholeRowsOfItsChunk() {
        let outcome = explore(nil)
        #expect(outcome.violation == nil)
        // Each beginning of each chunk is seen by some reader, be it in the active chunk or sealed.
        #expect(outcome.results.count == 1 + ChunkProtocol.rows * ChunkProtocol.chunks)
    }

    @Test(arguments: ChunkProtocol.Weakening.allCases)
    func withoutAnyOneOfItsPartsTheArgumentFails(weakening: ChunkProtocol.Weakening) {
        #expect(explore(weakening).violation != nil)
    }

    /// The machine must allow and forbid the outcomes of the textbook cases that the argument relies on.
    @Test func storesAreSeenLateUnlessTheyAreSynchronized() {
        for order in [WeakMemory.Order.relaxed, .synchronizing] {
            var memory = WeakMemory(locations: 2)
            var writer = WeakMemory.ThreadState(locations: 2)
            memory.store(1, to: 0, .relaxed, by: &writer)
            memory.store(1, to: 1, order, by: &writer)
            var seen: Set<[Int]> = []
            for (flag, thread) in memory.loads(of: 1, .synchronizing, by: .init(locations: 2)) {
                for (value, _) in memory.loads(of: 0, .relaxed, by: thread) { seen.insert([flag, value]) }
            }
            #expect(seen.contains([1, 0]) == (order == .relaxed))
            #expect(seen.isSuperset(of: [[0, 0], [0, 1], [1, 1]]))
        }
    }
}
