import type { Migrator } from '../migrate/migrator.js';
import type { OffloadRegistry } from '../migrate/offload.js';
import type { MigratorName } from '../migrate/settings.js';
import { createQueue } from '../queue.js';

/** What has a migrator that comes with the machine. */
export interface OffloadDriver {
  readonly migrator: Migrator;
  /** Has the threads or channels of it started, unless they are. @throws ErrnoError if they can't be */
  ready(): Promise<void>;
}

/** A machine's drivers, by the names of their migrators. */
export type OffloadDrivers = { readonly [Name in Exclude<MigratorName, 'kernel'>]: OffloadDriver };

/**
 * Registers and unregisters a machine's drivers, for the reasons that the registry knows for each. One change comes after the
 * other, so that the last one that was asked for is what holds.
 */
export class OffloadSwitch {
  readonly #offload: OffloadRegistry;
  readonly #drivers: readonly OffloadDriver[];
  readonly #inOrder = createQueue();

  constructor(offload: OffloadRegistry, drivers: readonly OffloadDriver[]) {
    this.#offload = offload;
    this.#drivers = drivers;
  }

  /** Whether a driver's migrator is registered, also while it is being unregistered. */
  isOn(driver: OffloadDriver): boolean {
    return this.#offload.active === driver.migrator;
  }

  /**
   * Registers a driver's migrator, unless it is; its threads are there by then.
   *
   * @throws ErrnoError EBUSY while another migrator is registered; as {@link OffloadDriver.ready}
   */
  turnOn(driver: OffloadDriver): Promise<void> {
    return this.#inOrder(() => this.#turnOn(driver));
  }

  /** Unregisters a driver's migrator, if it is registered. Resolves once no batch uses it any more. */
  turnOff(driver: OffloadDriver): Promise<void> {
    return this.#inOrder(() => this.#turnOff(driver));
  }

  /**
   * Registers a driver's migrator in the place of another driver's; none of them without one.
   *
   * @throws ErrnoError EBUSY while a migrator is registered that is no driver's, or if one comes in between; as
   * {@link OffloadDriver.ready}, and then what was registered still is
   */
  switchTo(driver: OffloadDriver | undefined): Promise<void> {
    return this.#inOrder(async () => {
      await this.#offload.leaving;
      const before = this.#drivers.find((other) => this.isOn(other));
      if (!before) this.#offload.checkFree();
      if (before === driver) return;
      await driver?.ready();
      // From here on nothing fails that would leave none of them: its threads were there, and come back when they are wanted.
      if (before) await this.#turnOff(before);
      if (driver) this.#register(driver);
    });
  }

  async #turnOn(driver: OffloadDriver): Promise<void> {
    await this.#offload.leaving;
    if (this.isOn(driver)) return;
    this.#offload.checkFree();
    await driver.ready();
    this.#register(driver);
  }

  #register({ migrator }: OffloadDriver): void {
    // What came in meanwhile by the registry itself is in nobody's order.
    if (this.#offload.active !== migrator) this.#offload.register(migrator, this.#offload.maskOf(migrator));
  }

  async #turnOff(driver: OffloadDriver): Promise<void> {
    await this.#offload.leaving;
    if (this.isOn(driver)) await this.#offload.unregister(driver.migrator);
  }
}
