internal import CCurl
internal import Runtime

/// The connections for exchanges without libcurl, including idle ones. Belongs to its multiplexer's thread.
@safe final class PlainConnections {
    typealias Exchange = PlainConnection.Exchange

    /// The next event for a multiplexer.
    enum Event {
        /// ``takeAnswer()`` returns the response. In an enum value, the body would get a second owner and be copied
        /// when it is changed.
        case answered(token: Int)
        case failed(token: Int, HTTPFailure)
        /// The request must be sent over a new connection.
        case connect(Exchange)
        /// libcurl must send the request.
        case follow(Exchange)
    }

    private enum Limit {
        /// How long an exchange may wait for several pieces of its response at once.
        static let patienceNanoseconds: Int64 = 20_000_000
        /// Enough for a head. The part of the body read with it is copied once more.
        static let scratchBytes = 4 << 10
    }

    /// Valid as long as the multiplexer, which owns both.
    private let loop: OpaquePointer
    private let buffers: BodyBuffers
    private let maximumIdle: Int
    private let idleNanoseconds: Int64
    private let scratch: UnsafeMutableRawBufferPointer
    /// By place, which is the loop's token; `nil` if the place is free.
    private var connections: [PlainConnection?] = []
    private var freePlaces: [Int] = []
    /// Places by origin, the last used at the end.
    private var idle: [String: [Int]] = [:]
    private var idleCount = 0
    private var lastLook: Int64 = 0
    private var answer: HTTPResponse?
    private var deadlines = DeadlineQueue<(place: Int, number: Int)>()
    /// The number of exchanges in progress.
    private(set) var count = 0

    init(_ loop: OpaquePointer, _ buffers: BodyBuffers, maximumIdle: Int, idleNanoseconds: Int64) {
        unsafe self.loop = unsafe loop
        self.buffers = buffers
        self.maximumIdle = maximumIdle
        self.idleNanoseconds = idleNanoseconds
        unsafe scratch = .allocate(byteCount: Limit.scratchBytes, alignment: 16)
    }

    deinit {
        unsafe scratch.deallocate()
    }

    /// The earliest deadline of an exchange, or the end of its wait for several pieces.
    func nextDeadline() -> Int64? {
        deadlines.next { place, number in
            guard let connection = connections[place] else { return false }
            return connection.number == number && connection.exchange != nil
        }
    }

    /// Sends a request over an idle connection. Otherwise returns that it needs a new one or has failed.
    func begin(_ exchange: Exchange) -> Event? {
        guard let plain = exchange.request.plain, let place = takeIdle(plain.origin, now: exchange.began) else {
            return .connect(exchange)
        }
        return begin(exchange, place)
    }

    /// Sends a request over a new connection. Takes ownership of `socket`.
    func begin(_ exchange: Exchange, socket: Int32) -> Event? {
        let failure = Event.failed(token: exchange.token, HTTPFailure(.other, "out of memory"))
        guard let plain = exchange.request.plain,
            let connection = PlainConnection(socket: socket, origin: plain.origin, buffers)
        else { return failure }
        closeOldIdle(now: exchange.began)
        let place = freePlaces.popLast() ?? connections.count
        if place == connections.count { connections.append(nil) }
        connections[place] = connection
        guard unsafe ccurl_loop_watch(loop, socket, UInt32(place), false, false) else {
            close(place)
            return failure
        }
        return begin(exchange, place)
    }

    private func begin(_ exchange: Exchange, _ place: Int) -> Event? {
        guard let connection = connections[place] else { return .connect(exchange) }
        count += 1
        let progress = connection.begin(exchange)
        let patience = connection.isPatient ? exchange.began + Limit.patienceNanoseconds : .max
        expire(exchange, place, at: min(patience, exchange.deadline))
        switch progress {
        case .waiting(isWriting: false): return nil
        case .failed, .wasClosed: connection.abandon()
        case .waiting, .done, .redirected: break
        }
        return event(progress, exchange, place)
    }

    private func expire(_ exchange: Exchange, _ place: Int, at deadline: Int64) {
        guard let connection = connections[place], deadline < .max else { return }
        deadlines.insert((place, connection.number), at: deadline)
    }

    /// Continues with the next connection that the loop found ready.
    func nextReady() -> Event? {
        var place: UInt32 = 0
        while unsafe ccurl_loop_next_ready(loop, &place) {
            guard let connection = connections[Int(place)] else { continue }
            guard let exchange = connection.exchange else {
                // An idle connection: its peer has closed it, or sends bytes without a request.
                removeIdle(Int(place), connection.origin)
                close(Int(place))
                continue
            }
            if let progress = unsafe connection.ready(scratch), let event = event(progress, exchange, Int(place)) {
                return event
            }
        }
        return nil
    }

    /// The response of the exchange that was reported last.
    func takeAnswer() -> HTTPResponse {
        defer { answer = nil }
        return answer ?? HTTPResponse(status: 0)
    }

    /// Ends an exchange whose deadline has passed. One whose wait for several pieces has passed continues with what it
    /// has.
    func nextExpired(now: Int64) -> Event? {
        while let (place, number) = deadlines.popFirst(notAfter: now) {
            guard let connection = connections[place], connection.number == number, let exchange = connection.exchange
            else { continue }
            if exchange.deadline <= now { return event(.failed(connection.timedOut(now: now)), exchange, place) }
            connection.losePatience()
            expire(exchange, place, at: exchange.deadline)
        }
        return nil
    }

    /// Ends all exchanges. Returns their tokens.
    func cancelAll() -> [Int] {
        var tokens: [Int] = []
        for place in connections.indices {
            guard let connection = connections[place], let exchange = connection.exchange else { continue }
            connection.abandon()
            tokens.append(exchange.token)
            close(place)
        }
        count = 0
        return tokens
    }

    private func event(_ progress: PlainConnection.Progress, _ exchange: Exchange, _ place: Int) -> Event? {
        switch progress {
        case .waiting(let isWriting):
            guard let connection = connections[place], connection.isWriting != isWriting else { return nil }
            connection.isWriting = isWriting
            // If it fails, the exchange times out.
            _ = unsafe ccurl_loop_watch(loop, connection.socket, UInt32(place), isWriting, true)
            return nil
        case .done:
            answer = connections[place]?.takeAnswer()
            release(place)
            return .answered(token: exchange.token)
        case .failed(let failure):
            release(place)
            return .failed(token: exchange.token, failure)
        case .wasClosed:
            release(place)
            return .connect(exchange)
        case .redirected:
            release(place)
            return .follow(exchange)
        }
    }

    /// Keeps the connection for later requests, or closes it.
    private func release(_ place: Int) {
        count -= 1
        guard let connection = connections[place] else { return }
        guard connection.isReusable, idleCount < maximumIdle else {
            close(place)
            return
        }
        connection.idleSince = SystemClock.monotonicNanoseconds()
        idle[connection.origin, default: []].append(place)
        idleCount += 1
    }

    private func takeIdle(_ origin: String, now: Int64) -> Int? {
        while let place = idle[origin]?.popLast() {
            idleCount -= 1
            if let connection = connections[place], connection.idleSince > now - idleNanoseconds { return place }
            close(place)
        }
        return nil
    }

    private func removeIdle(_ place: Int, _ origin: String) {
        guard let index = idle[origin]?.lastIndex(of: place) else { return }
        idle[origin]?.remove(at: index)
        idleCount -= 1
    }

    /// Closes connections to peers that are no longer used. Called occasionally, when others are opened.
    private func closeOldIdle(now: Int64) {
        guard now - lastLook > idleNanoseconds / 2 else { return }
        lastLook = now
        for place in connections.indices {
            guard let connection = connections[place], connection.exchange == nil,
                connection.idleSince <= now - idleNanoseconds
            else { continue }
            removeIdle(place, connection.origin)
            close(place)
        }
        idle = idle.filter { !$0.value.isEmpty }
    }

    private func close(_ place: Int) {
        connections[place] = nil
        freePlaces.append(place)
    }
}
