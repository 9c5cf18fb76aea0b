import Testing

@testable import RollbackSimulation

/// Every order of events in small worlds. `scripts/soak.sh explore` searches larger ones, optimised.
struct ExplorationTests {
    private func check(_ size: SmallWorld.Size, _ limits: Exploration.Limits) throws -> Exploration.Result {
        let result = try Exploration(SmallWorld(size), limits).run()
        let finding = result.finding
        #expect(finding == nil, "\(finding?.path.joined(separator: "\n") ?? ""): \(finding?.detail ?? "")")
        return result
    }

    @Test("without a fault, the first events of the smallest world keep the invariants in every order")
    func smallest() throws {
        let result = try check(.init(generations: 1), .init(depth: 10))
        #expect(result.depth == 10)
        #expect(result.states > 500)
    }

    @Test(
        "with faults, orders and a reload, the first events of larger worlds keep them too",
        arguments: [
            SmallWorld.Size(faults: 2, orders: 1, reloads: 1), .init(routes: 2, faults: 1, orders: 1),
            .init(services: 2, faults: 1, orders: 1), .init(services: 2, routes: 2, faults: 3, orders: 1, reloads: 1),
        ])
    func larger(_ size: SmallWorld.Size) throws {
        #expect(try check(size, .init(depth: 2)).states > 50)
    }

    @Test("any fault at any moment of a rollout and its rollback keeps them")
    func alongRollout() throws {
        let result = try check(.init(faults: 1), .init(depth: 1, isAlongRollout: true))
        #expect(result.roots > 25)
        #expect(result.states > 200)
    }

    @Test("a world in which nothing is begun has few states, and all are found")
    func complete() throws {
        let result = try check(.init(generations: 0), .init())
        #expect(result.isComplete)
        #expect(result.states > 10)
    }

    @Test(
        "every defect that such a world can have is found beside a rollout and its rollback, with the path to it",
        arguments: Sabotage.allCases.filter { $0.smallWorld != nil })
    func sabotage(_ sabotage: Sabotage) throws {
        let (size, foundBy) = try #require(sabotage.smallWorld)
        let limits = Exploration.Limits(depth: 4, isAlongRollout: true)
        let result = try Exploration(SmallWorld(size, sabotage: sabotage), limits).run()
        let finding = try #require(result.finding, "not found in \(result.states) states")
        #expect(foundBy.contains(finding.invariant), "\(finding.invariant): \(finding.detail)")
        #expect(finding.path.count >= finding.length)
        #expect(finding.path.contains { !$0.hasPrefix("  ") })
    }

    @Test("a search from the start finds the shortest path to a defect, and none without it", arguments: [false, true])
    func shortest(isDefective: Bool) throws {
        let world = SmallWorld(.init(generations: 1), sabotage: isDefective ? .dropsTrips : nil)
        let result = try Exploration(world, .init(depth: 3)).run()
        #expect(result.finding?.length == (isDefective ? 3 : nil))
        #expect(result.finding?.invariant == (isDefective ? .oneRollback : nil))
    }

    @Test("several threads find the same states")
    func threads() throws {
        let world = SmallWorld(.init(faults: 1, generations: 1))
        let one = try Exploration(world, .init(depth: 4)).run()
        let three = try Exploration(world, .init(depth: 4, threads: 3)).run()
        #expect(one.states == three.states)
        #expect(one.events == three.events)
        #expect(one.states > 200)
    }

    /// A moment after the routes were read, and what it came from.
    private func rest(_ world: SmallWorld) -> Moment {
        var moment = Moment(world)
        for index in world.routes.indices { moment.take(Choice(.answer, index), in: world) }
        return moment
    }

    @Test("a moment at rest is the same one later, though every time in it is another")
    func later() {
        let world = SmallWorld(.init(faults: 1))
        var moment = rest(world)
        let first = moment.fingerprint(in: world)
        for _ in 0..<3 {
            moment.take(Choice(.tick), in: world)
            #expect(moment.fingerprint(in: world) != first)
            moment.take(Choice(.wake), in: world)
            moment.take(Choice(.answer, 0), in: world)
            #expect(moment.fingerprint(in: world) == first)
        }
    }

    @Test("moments that differ only in which of two routes is which are one")
    func exchanged() {
        let world = SmallWorld(.init(services: 2, routes: 2, faults: 1))
        func moment(_ route: Int) -> Fingerprint {
            var moment = rest(world)
            moment.take(Choice(.die, route), in: world)
            return moment.fingerprint(in: world)
        }
        #expect(moment(0) == moment(1))
        #expect(moment(2) == moment(3))
        #expect(moment(0) != moment(2), "they belong to other services")
    }

    @Test("a choice is the same after it was stored")
    func codes() {
        let world = SmallWorld(.init(services: 2, routes: 2, faults: 1, orders: 1, reloads: 1))
        var choices = rest(world).choices(in: world)
        #expect(choices.count > 20)
        choices[0].cut = 3
        choices[0].isStored = true
        for choice in choices { #expect(Choice(code: choice.code) == choice) }
        #expect(Set(choices.map(\.code)).count == choices.count)
    }
}
