// What oidc-provider remembers. Its own store forgets all but the last thousand entries.
const store = new Map();
const grants = new Map();
// What is looked up by other names than its id: sessions, and the codes that people type in.
const NAMES = ['uid', 'userCode'];

export class Store {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  name(kind, value) {
    return `${this.model}:${kind}:${value}`;
  }
  async upsert(id, payload, lifetime) {
    const key = this.key(id);
    store.set(key, { payload, expiry: lifetime ? Date.now() + lifetime * 1000 : Infinity });
    if (payload.grantId) grants.set(payload.grantId, [...(grants.get(payload.grantId) ?? []), key]);
    for (const kind of NAMES) if (payload[kind]) store.set(this.name(kind, payload[kind]), id);
  }
  async find(id) {
    const entry = store.get(this.key(id));
    return entry && entry.expiry > Date.now() ? entry.payload : undefined;
  }
  async findByUid(uid) {
    return this.find(store.get(this.name('uid', uid)));
  }
  async findByUserCode(code) {
    return this.find(store.get(this.name('userCode', code)));
  }
  async destroy(id) {
    store.delete(this.key(id));
  }
  async consume(id) {
    const entry = store.get(this.key(id));
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }
  async revokeByGrantId(grant) {
    for (const key of grants.get(grant) ?? []) store.delete(key);
    grants.delete(grant);
  }
}
