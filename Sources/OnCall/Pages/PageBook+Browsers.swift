public import MetricModel

extension PageBook {
    /// The most browsers, and the most of one person.
    static let browserCapacity = (all: 2000, person: 10)

    /// The browsers of a person, the oldest first.
    public func browsers(of person: String) -> [Browser] {
        browsers.values.filter { $0.person == person }.sorted { ($0.at, $0.id) < ($1.at, $1.id) }
    }

    /// A person adds or removes a browser.
    ///
    /// - Parameter id: gives random texts, of which one that is not used yet becomes the id of a browser.
    public mutating func ordered(_ order: BrowserOrder, at now: Timestamp, id: () -> String) -> BrowserOutcome {
        switch order {
        case .add(let person, let address, let name):
            guard let known = roster.people[person] else { return .unknown("person \"\(person)\"") }
            guard known.contacts.contains(where: \.isPush) else {
                return .refused("\(person) has no contact {push: true} in oncall.yml, so no browser would be notified")
            }
            guard name.utf8.count <= BrowserOrder.longestName else {
                return .refused("the name of a browser has at most \(BrowserOrder.longestName) bytes")
            }
            var browser: Browser
            if let same = browsers.values.first(where: { $0.address.endpoint == address.endpoint }) {
                browser = same
                browser.revision += 1
            } else {
                guard browsers.count < Self.browserCapacity.all else {
                    return .refused("\(Self.browserCapacity.all) browsers are notified, which is the limit")
                }
                var fresh = id()
                while ids.contains(fresh) { fresh = id() }
                browser = Browser(id: fresh, person: "", address: address, name: name, at: now)
            }
            guard browser.person == person || browsers(of: person).count < Self.browserCapacity.person else {
                return .refused(
                    "\(Self.browserCapacity.person) browsers of \(person) are notified, which is the limit; remove one")
            }
            browser.person = person
            browser.address = address
            browser.name = name
            browser.at = now
            keep(browser)
            return .done(browser)
        case .remove(let id):
            guard let browser = browsers[id] else { return .unknown("browser \"\(id)\"") }
            forget(browser: id)
            return .done(browser)
        }
    }

    /// The push service says that nothing can be delivered to `endpoint` any more. A browser that has another address
    /// by now stays.
    ///
    /// - Returns: whether the browser was forgotten.
    public mutating func browserIsGone(_ id: String, endpoint: String) -> Bool {
        guard browsers[id]?.address.endpoint == endpoint else { return false }
        forget(browser: id)
        return true
    }
}
