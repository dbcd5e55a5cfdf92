/** Catches what a page throws while it renders, so that the frame stays usable. */

import { Component, type ReactNode } from "react";
import { Failure } from "../ui/states.tsx";

export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return <Failure title="This page broke. It is a fault of Signalbox." error={this.state.error} retry={() => this.setState({ error: null })} />;
  }
}
