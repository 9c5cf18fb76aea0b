internal import Durable
internal import MetricModel
public import OnCall
internal import Receivers
internal import Runtime
internal import Synchronization
internal import TLS

extension OnCallRunner {
    /// Where a contact or a target of a policy is called; `nil` for a name that nobody has.
    func receiver(_ name: String, _ configuration: Configuration) -> Receiver? {
        guard let person = Roster.Person.Contact.person(ofReceiver: name) else { return configuration.receivers[name] }
        guard let push = current.withLock({ $0.push }) else { return nil }
        return Receiver(
            name: name, integrations: [Integration(PushIntegration(person: person, push: push, runner: self))])
    }

    /// The key with which browsers subscribe, in base64url; `nil` where `oncall.yml` has no section `push`.
    public var pushKey: String? { current.withLock { $0.push }?.publicKey }

    /// A person adds or removes a browser. Returns when it is journalled.
    public func order(_ order: BrowserOrder) throws(OnCallRefusal) -> BrowserOutcome {
        if case .add(_, let address, _) = order {
            guard let push = current.withLock({ $0.push }) else {
                return .refused("oncall.yml has no section push")
            }
            guard let target = WebPush.Target(address) else {
                return .refused("the keys of the browser are malformed")
            }
            if let refusal = push.refusal(of: target) { return .refused(refusal) }
        }
        let outcome = try answer { .browserOrder(order, $0) }
        if case .done(let browser) = outcome {
            let isAdded = if case .add = order { true } else { false }
            logger.info(
                isAdded ? "a browser is notified" : "a browser is not notified any more",
                ["browser": browser.id, "person": browser.person, "service": browser.address.service])
        }
        return outcome
    }

    /// The sender to browsers with the key of the configuration. A key file that does not exist is made, with a new
    /// key.
    static func push(_ configuration: Configuration, _ settings: Settings) throws(OnCallStartError) -> WebPush? {
        guard let wanted = configuration.onCall.push else { return nil }
        let path = wanted.keyFile ?? "\(settings.directory)/push.pem"
        return WebPush(
            key: try key(path), contact: wanted.contact, services: PushServices(more: wanted.services),
            http: wanted.http)
    }

    private static func key(_ path: String) throws(OnCallStartError) -> P256Key {
        if let text = FileText.read(path) {
            do throws(TLSError) { return try P256Key(pem: text) } catch {
                throw OnCallStartError("\(path): \(error.message)")
            }
        }
        guard !Paths.exists(path) else { throw OnCallStartError("\(path): \(SystemError.current)") }
        let (key, text): (P256Key, String)
        do throws(TLSError) {
            let made = try P256Key.generate()
            (key, text) = (made, try made.pem())
        } catch {
            throw OnCallStartError(error.message)
        }
        do throws(DurableError) { try DurableFile.replace(path, by: text) } catch {
            throw OnCallStartError(error.description)
        }
        return key
    }
}
