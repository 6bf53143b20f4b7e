import rule from '../../rules/buffer-transferred-in-flight.js';
import { inFlightHits } from '../in-flight/analyse.js';
import { hitsByPlace, inFlightReport } from '../in-flight/report.js';
import { defineVisitor } from '../javascript-visitor.js';

export default defineVisitor(rule, (context) => ({
  Program() {
    for (const hit of hitsByPlace(inFlightHits(context), 'transfer')) {
      const messageId = hit.phase === 'partial' ? 'afterPartialFailure' : 'transferred';
      context.report(inFlightReport(context, hit, messageId, 'The backing store leaves this thread or changes here.'));
    }
  },
}));
