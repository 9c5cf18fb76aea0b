import MetricModel
import TestSupport
import Testing

@testable import Lease

/// The lease of one node, on a clock of whole seconds.
struct LeaseTests {
    private var lease = Lease(holder: "a", duration: .seconds(10))

    private static func seconds(_ count: Int64) -> Int64 { count * 1_000_000_000 }

    private static func row(_ holder: String, _ epoch: UInt64, renewals: UInt64 = 0, isOver: Bool = false)
        -> Lease.Sighting
    {
        Lease.Sighting(holder: holder, epoch: epoch, renewals: renewals, isOver: isOver)
    }

    /// The request at second `time`, which gets `reply` immediately.
    private mutating func ask(_ time: Int64, _ reply: Lease.Reply) -> Lease.Request {
        let now = Self.seconds(time)
        let request = lease.request(at: now)
        lease.received(reply, requestedAt: now, at: now)
        return request
    }

    private func standing(_ time: Int64) -> Lease.Standing { lease.standing(at: Self.seconds(time)) }

    @Test("a lease that was released, or is a predecessor's, is taken at once")
    mutating func free() {
        for holder in ["", "a"] {
            lease = Lease(holder: "a", duration: .seconds(10))
            let free = Self.row(holder, 3)
            #expect(ask(0, .seen(free)) == .look)
            #expect(ask(0, .ours(epoch: 4)) == .take(free))
            #expect(standing(9) == .leading(epoch: 4))
            #expect(standing(10) == .none)
        }
    }

    @Test("a reluctant node leaves a free lease to others for two spans, and renews one that it holds")
    mutating func reluctant() {
        lease.isReluctant = true
        let free = Self.row("", 3)
        #expect(ask(0, .seen(free)) == .look)
        #expect(ask(19, .seen(free)) == .look)
        #expect(lease.isUrgent(at: Self.seconds(19)) == false)
        // Another node takes it and gives it back: the two spans begin again.
        #expect(ask(19, .seen(Self.row("b", 4))) == .look)
        let again = Self.row("", 4)
        #expect(ask(25, .seen(again)) == .look)
        #expect(ask(44, .seen(again)) == .look)
        #expect(ask(45, .ours(epoch: 5)) == .take(again))
        #expect(ask(48, .ours(epoch: 5)) == .renew(epoch: 5))
        #expect(standing(57) == .leading(epoch: 5))
    }

    @Test("a node that is reluctant no longer takes a free lease at once")
    mutating func competing() {
        lease.isReluctant = true
        let free = Self.row("", 3)
        #expect(ask(0, .seen(free)) == .look)
        #expect(ask(1, .seen(free)) == .look)
        lease.isReluctant = false
        #expect(ask(1, .ours(epoch: 4)) == .take(free))
    }

    @Test("a reluctant node takes the expired lease of another one only after two spans without renewal")
    mutating func reluctantTakeover() {
        lease.isReluctant = true
        let over = Self.row("b", 3, isOver: true)
        #expect(ask(0, .seen(over)) == .look)
        #expect(ask(11, .seen(over)) == .look)
        #expect(ask(20, .ours(epoch: 4)) == .take(over))
    }

    @Test("a lease counts from before its request, and renewals extend it")
    mutating func renewal() {
        lease.received(.ours(epoch: 1), requestedAt: Self.seconds(0), at: Self.seconds(3))
        #expect(standing(9) == .leading(epoch: 1))
        #expect(standing(10) == .none)
        #expect(ask(8, .ours(epoch: 1)) == .renew(epoch: 1))
        #expect(standing(17) == .leading(epoch: 1))
    }

    @Test("another node's lease is taken when it has expired and was not renewed for its whole span")
    mutating func takeover() {
        #expect(ask(0, .seen(Self.row("b", 3))) == .look)
        #expect(ask(5, .seen(Self.row("b", 3, renewals: 1))) == .look)
        // The database's clock has jumped: it reports the lease as expired, but it was renewed just now.
        #expect(ask(7, .seen(Self.row("b", 3, renewals: 2, isOver: true))) == .look)
        #expect(ask(12, .seen(Self.row("b", 3, renewals: 2, isOver: true))) == .look)
        // It has jumped back: not renewed for long enough, but not expired.
        #expect(ask(16, .seen(Self.row("b", 3, renewals: 2))) == .look)
        #expect(ask(17, .seen(Self.row("b", 3, renewals: 2))) == .look)
        let over = Self.row("b", 3, renewals: 2, isOver: true)
        #expect(ask(18, .seen(over)) == .look)
        #expect(ask(18, .refused) == .take(over))
        #expect(standing(18) == .none)
        #expect(ask(19, .seen(Self.row("c", 4))) == .look, "somebody was faster")
        #expect(ask(29, .seen(Self.row("c", 4, isOver: true))) == .look)
        #expect(ask(29, .ours(epoch: 5)) == .take(Self.row("c", 4, isOver: true)))
        #expect(standing(29) == .leading(epoch: 5))
    }

    @Test("without the database a holder continues alone, for one span after the database failed to reply")
    mutating func alone() {
        _ = ask(0, .ours(epoch: 1))
        _ = ask(5, .unreachable)
        #expect(standing(9) == .leading(epoch: 1))
        #expect(standing(10) == .alone(epoch: 1))
        #expect(ask(14, .unreachable) == .renew(epoch: 1))
        #expect(standing(23) == .alone(epoch: 1))
        #expect(standing(24) == .none, "a process that stood still knows nothing")
        _ = ask(30, .unreachable)
        #expect(standing(30) == .alone(epoch: 1))
        _ = ask(31, .ours(epoch: 1))
        #expect(standing(31) == .leading(epoch: 1))
    }

    @Test("a node that learns of another one's lease stops at once")
    mutating func lost() {
        _ = ask(0, .ours(epoch: 1))
        #expect(ask(2, .refused) == .renew(epoch: 1))
        #expect(standing(2) == .none)
        #expect(lease.request(at: Self.seconds(2)) == .look)
    }

    // MARK: three nodes and one database

    /// Time that nodes spend standing still, answers lost before and after their effect, and jumps of the database's
    /// clock.
    private struct World {
        struct Row {
            var sighting = Lease.Sighting(holder: "", epoch: 0, renewals: 0, isOver: true)
            var expires: Int64 = 0
        }

        var random: SeededGenerator
        var nodes = ["a", "b", "c"].map { Lease(holder: $0, duration: .seconds(10)) }
        /// When each node asks next, and what it is waiting for.
        var wakes: [Int64] = [0, 0, 0]
        var row = Row()
        var databaseOffset: Int64 = 0
        var isDown = false
        var now: Int64 = 0
        var takeovers = 0
        var epochs: [UInt64] = []

        func seen() -> Lease.Sighting {
            var sighting = row.sighting
            sighting.isOver = row.expires <= now + databaseOffset
            return sighting
        }

        mutating func reply(_ request: Lease.Request, _ holder: String) -> Lease.Reply {
            let expires = now + databaseOffset + 10_000_000_000
            switch request {
            case .look: return .seen(seen())
            case .take(let sighting):
                let current = seen()
                let isSame = current.epoch == sighting.epoch && current.renewals == sighting.renewals
                guard isSame, current.holder.isEmpty || current.holder == holder || current.isOver else {
                    return .refused
                }
                let epoch = current.epoch + 1
                row = Row(sighting: .init(holder: holder, epoch: epoch, renewals: 0, isOver: false), expires: expires)
                takeovers += 1
                epochs.append(epoch)
                return .ours(epoch: epoch)
            case .renew(let epoch):
                guard row.sighting.holder == holder, row.sighting.epoch == epoch else { return .refused }
                row.sighting.renewals += 1
                row.expires = expires
                return .ours(epoch: epoch)
            }
        }

        mutating func step() {
            let index = wakes.indices.min { wakes[$0] < wakes[$1] } ?? 0
            now = max(now, wakes[index])
            let asked = now
            let request = nodes[index].request(at: asked)
            if Double.random(in: 0..<1, using: &random) < 0.02 { isDown.toggle() }
            if Double.random(in: 0..<1, using: &random) < 0.03 {
                databaseOffset += Int64.random(in: -60...60, using: &random) * 1_000_000_000
            }
            let isLostBefore = isDown || Double.random(in: 0..<1, using: &random) < 0.1
            var reply = isLostBefore ? Lease.Reply.unreachable : reply(request, nodes[index].holder)
            if Double.random(in: 0..<1, using: &random) < 0.1 { reply = .unreachable }
            // The reply takes time. The process may be suspended for much longer, before or after it gets the reply.
            let pause = Double.random(in: 0..<1, using: &random) < 0.1 ? Int64(40) : 1
            let heard = asked + Int64.random(in: 0...pause * 1_000_000_000, using: &random)
            nodes[index].received(reply, requestedAt: asked, at: heard)
            wakes[index] = heard + (nodes[index].isUrgent(at: heard) ? 0 : nodes[index].interval)
        }

        /// How many lead at `time`.
        func leaders(at time: Int64) -> Int {
            nodes.filter { if case .leading = $0.standing(at: time) { true } else { false } }.count
        }
    }

    @Test("with suspended processes, lost replies and clock jumps, two never lead at once, and epochs only rise")
    func neverTwo() {
        var takeovers = 0
        for _ in 0..<200 {
            var world = World(random: SeededGenerator())
            let seed = world.random.seed
            for _ in 0..<400 {
                world.step()
                // The last reply is later than the other nodes' time: checked from then on.
                let last = world.wakes.max() ?? 0
                for time in stride(from: world.now, through: last, by: 500_000_000) {
                    #expect(world.leaders(at: time) <= 1, "seed \(seed), second \(time / 1_000_000_000)")
                    if world.leaders(at: time) > 1 { return }
                }
            }
            #expect(world.epochs == world.epochs.sorted() && Set(world.epochs).count == world.epochs.count)
            takeovers += world.takeovers
        }
        #expect(takeovers > 1000)
    }
}
