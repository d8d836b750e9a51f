/** Of the histograms of frame sizes (proxy-facts §5.3). A frame is a piece of a body as it was read. */
export const FRAME_BOUNDS_BYTES: readonly number[] = [128, 1024, 10240];
